/** Watches a webcam or a camera: one picture in flight at a time, the next one as soon as it is answered. */

import { ApiError, isAbort, part, pause, post, upload } from "./api.js";
import { h } from "./dom.js";
import { decode, grab, openWebcam } from "./pictures.js";

/**
 * @typedef {{faces: import("./api.js").Face[], width: number, height: number, source: HTMLCanvasElement | ImageBitmap,
 *   blob: Blob, ms: number, rate: number}} Seen
 */

const WAIT_MS = 1000;
/** What this tab calls its pictures: the faces in them are followed, apart from those of other tabs. */
const STREAM = `page-${Array.from(crypto.getRandomValues(new Uint8Array(8)), (one) => one.toString(16).padStart(2, "0")).join("")}`;
const CAMERA_PAUSE_MS = 150;

/**
 * Watches the webcam. Raises what getUserMedia does. With `thorough`, every face is measured in every picture.
 * @param {any} stage @param {(seen: Seen) => any} saw @param {AbortSignal} signal
 * @param {() => {remember?: boolean, thorough?: boolean}} [options]
 */
export async function watchWebcam(stage, saw, signal, options = () => ({})) {
  const video = h("video", { playsinline: true, autoplay: true, "aria-hidden": "true" });
  video.muted = true;
  stage.mirror(true);
  stage.show(video);
  await openWebcam(video, signal);
  const canvases = [document.createElement("canvas"), document.createElement("canvas")];
  const pace = createPace();
  const look = async (/** @type {Blob} */ blob) => {
    const { remember, thorough } = options();
    const query = { ...(remember && { remember }), ...(!thorough && { follow: STREAM }) };
    return (await upload("faces", blob, query, signal)).faces;
  };
  await repeat(signal, async () => {
    if (document.hidden || !video.videoWidth) return pause(200, signal);
    // The canvas of the last answer is left as it is, because its faces may be named now.
    const canvas = canvases.reverse()[0];
    const blob = await grab(canvas, video);
    const begun = performance.now();
    const faces = await look(blob);
    const { width, height } = canvas;
    stage.shape(width, height);
    const paced = pace(begun);
    stage.pace(paced.rate);
    stage.faces(faces, width, height);
    return saw({ faces, width, height, source: canvas, blob, ...paced });
  });
}

/**
 * Watches a camera that the gateway knows. With `thorough`, every face is measured in every picture.
 * @param {string} name @param {any} stage @param {(seen: Seen) => any} saw @param {AbortSignal} signal
 * @param {() => {thorough?: boolean}} [options]
 */
export async function watchCamera(name, stage, saw, signal, options = () => ({})) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  stage.mirror(false);
  stage.show(canvas);
  const pace = createPace();
  await repeat(signal, async () => {
    if (document.hidden) return pause(500, signal);
    const begun = performance.now();
    const answer = await post(`cameras/${part(name)}/faces${options().thorough ? "" : `?follow=${STREAM}`}`);
    const blob = fromBase64(answer.picture);
    const bitmap = await decode(blob);
    if (!bitmap || signal.aborted) return pause(WAIT_MS, signal);
    const { width, height } = bitmap;
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
    stage.shape(width, height);
    stage.faces(answer.faces, width, height);
    saw({ faces: answer.faces, width, height, source: bitmap, blob, ...pace(begun) });
    return pause(CAMERA_PAUSE_MS, signal);
  });
}

/** @param {string} text a JPEG as base64 */
const fromBase64 = (text) => new Blob([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))], { type: "image/jpeg" });

/** @param {AbortSignal} signal @param {() => Promise<any>} once */
async function repeat(signal, once) {
  while (!signal.aborted) {
    try {
      await once();
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      const passing = error instanceof ApiError && [422, 429, 503].includes(error.status);
      if (!passing) throw error;
      await pause(WAIT_MS, signal).catch(() => {});
    }
  }
}

/** Measures how long answers take, and how many come in a second. */
function createPace() {
  /** @type {number[]} */
  const times = [];
  return (/** @type {number} */ begun) => {
    const now = performance.now();
    times.push(now);
    while (now - times[0] > 2000) times.shift();
    const span = (now - times[0]) / 1000;
    return { ms: now - begun, rate: span > 0.3 ? (times.length - 1) / span : 0 };
  };
}
