/** Follows faces from one picture to the next, so that what is drawn about them stays in place. */

/** @typedef {import("./api.js").Box} Box */

const SAME = 0.2;

/**
 * Returns a function that gives each face a key, the same one as long as it is the same face: its track, if the daemon
 * follows it, or else by where it is.
 */
export function createTracks() {
  /** @type {{id: number, box: Box}[]} */
  let followed = [];
  let last = 0;
  /** @param {{faceBox: Box, track?: number}[]} faces @returns {(number | string)[]} */
  return (faces) => {
    if (faces.every(({ track }) => track !== undefined)) return faces.map(({ track }) => `track ${track}`);
    const free = [...followed];
    followed = faces.map(({ faceBox }) => {
      const best = free
        .map((one, place) => ({ place, value: overlap(one.box, faceBox) }))
        .reduce((a, b) => (b.value > a.value ? b : a), { place: -1, value: SAME });
      const id = best.place < 0 ? (last += 1) : free.splice(best.place, 1)[0].id;
      return { id, box: faceBox };
    });
    return followed.map((one) => one.id);
  };
}

/** Intersection over union. @param {Box} one @param {Box} two */
export function overlap(one, two) {
  const width = Math.min(one.xmax, two.xmax) - Math.max(one.xmin, two.xmin);
  const height = Math.min(one.ymax, two.ymax) - Math.max(one.ymin, two.ymin);
  if (width <= 0 || height <= 0) return 0;
  const area = (/** @type {Box} */ box) => (box.xmax - box.xmin) * (box.ymax - box.ymin);
  return (width * height) / (area(one) + area(two) - width * height);
}

/**
 * Keeps one element for each key: makes what is new, removes what has gone, in order.
 * @param {Element} parent @param {Map<any, any>} nodes kept between calls
 * @param {any[]} keys @param {(key: any) => any} make @param {(node: any, index: number) => any} update
 */
export function keepElements(parent, nodes, keys, make, update) {
  for (const [key, node] of nodes) {
    if (keys.includes(key)) continue;
    node.remove();
    nodes.delete(key);
  }
  keys.forEach((key, index) => {
    const node = nodes.get(key) ?? make(key);
    nodes.set(key, node);
    update(node, index);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}
