/** Records from the microphone, as a WAV file of one channel. */

/** True if this browser lets the page use a microphone: there is one, and the page came by https or from here. */
export const hasMicrophone = () => Boolean(navigator.mediaDevices?.getUserMedia && "AudioWorkletNode" in window);

/**
 * Records so many seconds. Raises what getUserMedia does, and an AbortError when the signal ends it.
 * @param {number} seconds @param {AbortSignal} signal
 * @param {(heard: {level: number, peak: number, seconds: number}) => any} heard is told several times a second
 * how loud it is, from 0 to 1, and how many seconds there are
 * @returns {Promise<Blob>}
 */
export async function record(seconds, signal, heard) {
  const stream = await navigator.mediaDevices.getUserMedia({
    // What makes calls pleasant changes the voice.
    audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    video: false,
  });
  const context = new AudioContext();
  try {
    signal.throwIfAborted();
    await context.audioWorklet.addModule(new URL("microphone-worklet.js", import.meta.url));
    await context.resume();
    signal.throwIfAborted();
    const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    context.createMediaStreamSource(stream).connect(recorder);
    const pieces = await collect(recorder.port, Math.round(seconds * context.sampleRate), signal, (piece, count) => {
      heard({ ...loudness(piece), seconds: count / context.sampleRate });
    });
    return makeWav(pieces, context.sampleRate);
  } finally {
    for (const track of stream.getTracks()) track.stop();
    await context.close();
  }
}

/**
 * @param {MessagePort} port @param {number} wanted samples @param {AbortSignal} signal
 * @param {(piece: Float32Array, count: number) => any} heard @returns {Promise<Float32Array[]>}
 */
function collect(port, wanted, signal, heard) {
  /** @type {Float32Array[]} */
  const pieces = [];
  let count = 0;
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    port.onmessage = ({ data }) => {
      if (count >= wanted) return;
      pieces.push(data);
      count += data.length;
      heard(data, Math.min(count, wanted));
      if (count >= wanted) resolve(pieces);
    };
  });
}

/** @param {Float32Array} piece */
function loudness(piece) {
  let [sum, peak] = [0, 0];
  for (const sample of piece) {
    sum += sample * sample;
    peak = Math.max(peak, Math.abs(sample));
  }
  return { level: Math.sqrt(sum / piece.length), peak };
}

/**
 * Returns samples as a WAV file of 16 bits.
 * @param {Float32Array[]} pieces @param {number} rate samples a second
 */
export function makeWav(pieces, rate) {
  const count = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const text = (/** @type {number} */ at, /** @type {string} */ letters) => [...letters].forEach((one, i) => view.setUint8(at + i, one.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * count, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const piece of pieces) {
    for (const sample of piece) {
      view.setInt16(at, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
      at += 2;
    }
  }
  return new Blob([view], { type: "audio/wav" });
}
