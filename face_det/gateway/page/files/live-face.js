/** Keeps the face that a question is about, since a live picture is gone a moment later. */

/** @type {{face: import("./api.js").Face, blob: Blob, picture: string} | null} */
let kept = null;

/** @param {{face: import("./api.js").Face, blob: Blob, picture: string}} one */
export function keepLive(one) {
  kept = one;
}

export const keptLive = () => kept;
