/** Pictures from the webcam and from files, as JPEGs of a size that suits the network. */

export const FRAME_PX = 640;

/** True if this browser lets the page use a camera: there is one, and the page came by https or from here. */
export const hasWebcam = () => Boolean(navigator.mediaDevices?.getUserMedia);

/**
 * Opens the webcam into a <video>; it ends with the signal.
 * @param {HTMLVideoElement} video @param {AbortSignal} signal
 */
export async function openWebcam(video, signal) {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" },
    audio: false,
  });
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  if (signal.aborted) return stop();
  signal.addEventListener("abort", stop, { once: true });
  video.srcObject = stream;
  await video.play();
}

/**
 * Draws what is seen onto a canvas, at most `px` wide or high, and returns it as a JPEG.
 * @param {HTMLCanvasElement} canvas @param {any} source a <video> or an ImageBitmap @param {number} [px]
 * @returns {Promise<Blob>}
 */
export function grab(canvas, source, px = FRAME_PX) {
  const width = source.videoWidth || source.width;
  const height = source.videoHeight || source.height;
  const scale = Math.min(1, px / Math.max(width, height));
  const size = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  canvas.getContext("2d", { willReadFrequently: true })?.drawImage(source, 0, 0, canvas.width, canvas.height);
  return toJpeg(canvas);
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
const toJpeg = (canvas, quality = 0.85) =>
  new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/jpeg", quality),
  );

/**
 * Returns the face in a canvas as an address for an <img>, with some of what is around it.
 * @param {HTMLCanvasElement | ImageBitmap} source @param {import("./api.js").Box} box @param {number} [px]
 */
export function crop(source, box, px = 192) {
  const side = Math.max(box.xmax - box.xmin, box.ymax - box.ymin) * 1.5;
  const x = (box.xmin + box.xmax - side) / 2;
  const y = (box.ymin + box.ymax - side) / 2;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = px;
  const context = canvas.getContext("2d");
  if (context) {
    context.fillStyle = "#222";
    context.fillRect(0, 0, px, px);
    context.drawImage(source, x, y, side, side, 0, 0, px, px);
  }
  return canvas.toDataURL("image/jpeg", 0.85);
}

/**
 * Returns what a face looks like in few numbers, to tell whether somebody has moved.
 * @param {HTMLCanvasElement} source @param {import("./api.js").Box} box
 */
export function sketch(source, box) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 12;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context?.drawImage(source, box.xmin, box.ymin, box.xmax - box.xmin, box.ymax - box.ymin, 0, 0, 12, 12);
  const data = context?.getImageData(0, 0, 12, 12).data ?? [];
  const grey = [];
  for (let i = 0; i < data.length; i += 4) grey.push(0.3 * data[i] + 0.6 * data[i + 1] + 0.1 * data[i + 2]);
  return grey;
}

/** The mean difference of two sketches, from 0 to 255. @param {number[]} one @param {number[]} two */
export const difference = (one, two) => one.reduce((sum, value, i) => sum + Math.abs(value - two[i]), 0) / (one.length || 1);

/**
 * Reads a picture file, upright; null if this browser cannot, such as HEIC in most.
 * @param {Blob} file @returns {Promise<ImageBitmap | null>}
 */
export async function decode(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return null;
  }
}

/** A smaller copy of a picture that is too large to send. @param {ImageBitmap} bitmap @param {number} px */
export function shrink(bitmap, px) {
  return grab(document.createElement("canvas"), bitmap, px);
}
