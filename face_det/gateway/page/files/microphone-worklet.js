/** Hands on what the microphone hears, in pieces of 2048 samples. Runs on the thread of the sound. */

const PIECE = 2048;

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Float32Array(PIECE);
    this.filled = 0;
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const heard = inputs[0][0];
    // A block of sound is 128 samples, of which a whole number fits into a piece.
    if (heard) {
      this.piece.set(heard, this.filled);
      this.filled += heard.length;
    }
    if (this.filled === PIECE) {
      this.port.postMessage(this.piece.slice());
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
