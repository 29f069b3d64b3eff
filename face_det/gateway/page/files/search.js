/** Which faces to search for in the next picture: all now and then, and only those that are known to be large between. */

/** @typedef {import("./api.js").Face} Face */

const FULL_MS = 1000;
const LARGE_PX = 40;
const MARGIN = 0.75;

/**
 * Decides from which size in pixels on faces are searched for, which takes most of a picture's time.
 *
 * Whoever was there in the last answer is searched for in every picture. A small face that appears is found within
 * FULL_MS.
 * @param {() => number} [clock]
 */
export function createSearch(clock = () => performance.now()) {
  let full = -Infinity;
  let distrusted = -Infinity;
  /** @type {Face[]} */
  let known = [];
  return {
    /** For the next picture; null: all sizes. @returns {number | null} */
    from() {
      if (clock() - full >= FULL_MS || clock() < distrusted) return null;
      const smallest = Math.min(...known.map(({ faceBox: box }) => Math.min(box.xmax - box.xmin, box.ymax - box.ymin)));
      return Math.floor(Math.min(LARGE_PX, MARGIN * smallest));
    },
    /** True if fewer faces were found than before: then only a full search can tell who has gone. @param {Face[]} faces */
    lost(faces) {
      if (faces.length >= known.length) return false;
      distrusted = clock() + FULL_MS;
      return true;
    },
    /** Takes an answer. @param {Face[]} faces @param {number | null} from as it was asked for */
    saw(faces, from) {
      known = faces;
      if (from === null) full = clock();
    },
  };
}
