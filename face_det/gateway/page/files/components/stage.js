/** A picture or video with the faces in it drawn over it: boxes, names, and why there is none. */

import { h, fill } from "../dom.js";
import { describe } from "../describe.js";
import { percent, t } from "../strings.js";
import { createTracks, keepElements } from "../tracks.js";

/** @typedef {import("../api.js").Face} Face */

const QUICK_RATE = 8;
const ROOM_BELOW = 0.14;
/** The share of the picture's height that a name needs below a box; else it stands inside. */

/**
 * @param {{label: string, pick?: (index: number) => any}} options `pick` is called with the face that is clicked
 */
export function createStage({ label, pick }) {
  const layer = h("div.boxes");
  const picture = h("div.picture", null, layer);
  const cover = h("div.cover", { hidden: true });
  const element = h("div.stage", { role: "group", "aria-label": label }, picture, cover);
  const follow = createTracks();
  /** @type {Map<number | string, any>} */
  const nodes = new Map();
  let mirrored = false;

  const make = () => {
    const who = h("span.who");
    const why = h("span.why");
    const note = h("span.note");
    const node = pick ? h("button.box", { type: "button" }) : h("div.box");
    node.append(h("span.tag", null, who, why, note));
    return Object.assign(node, { who, why, note });
  };

  /** @param {any} node @param {Face} face @param {number} index @param {{width: number, height: number}} size */
  const draw = (node, face, index, size, picked = false) => {
    const { title, why, tone, proba } = describe(face);
    const { xmin, ymin, xmax, ymax } = face.faceBox;
    const left = mirrored ? size.width - xmax : xmin;
    node.style.left = `${(100 * left) / size.width}%`;
    node.style.top = `${(100 * ymin) / size.height}%`;
    node.style.width = `${(100 * (xmax - xmin)) / size.width}%`;
    node.style.height = `${(100 * (ymax - ymin)) / size.height}%`;
    const low = ymax > (1 - ROOM_BELOW) * size.height;
    const right = left + (xmax - xmin) / 2 > 0.75 * size.width;
    const far = left + (xmax - xmin) / 2 < 0.25 * size.width;
    node.className = ["box", tone, picked && "picked", low && "low", right && "right", far && "left"].filter(Boolean).join(" ");
    const words = tone === "known" && proba !== undefined ? `${title} ${percent(proba)}` : title;
    if (node.who.textContent !== words) node.who.textContent = words;
    if (node.why.textContent !== why) node.why.textContent = why;
    const note = face.note ?? "";
    if (node.note.textContent !== note) node.note.textContent = note;
    if (pick) {
      node.onclick = () => pick(index);
      node.setAttribute("aria-label", [words, why, note].filter(Boolean).join(". "));
    }
  };

  const clear = () => {
    fill(layer);
    nodes.clear();
  };
  return {
    element,
    /** Shows this element, such as a <video>, and no boxes. @param {HTMLElement} media */
    show(media) {
      for (const one of [...picture.children]) if (one !== layer) one.remove();
      picture.prepend(media);
      clear();
    },
    /** @param {boolean} on */
    mirror(on) {
      mirrored = on;
      picture.classList.toggle("mirrored", on);
    },
    /** @param {number} rate how many pictures a second are drawn */
    pace(rate) {
      layer.classList.toggle("quick", rate >= QUICK_RATE);
    },
    /** @param {number} width @param {number} height */
    shape(width, height) {
      picture.style.setProperty("--ratio", String(width / height));
    },
    /**
     * Draws faces. A box that follows a face keeps its element, so that it glides instead of blinking.
     * @param {Face[]} faces @param {number} width @param {number} height @param {number} [picked]
     */
    faces(faces, width, height, picked = -1) {
      keepElements(layer, nodes, follow(faces), make, (node, index) =>
        draw(node, faces[index], index, { width, height }, index === picked),
      );
    },
    /** Covers the picture with words and buttons; with none, uncovers it. @param {...any} content */
    say(...content) {
      cover.hidden = content.length === 0;
      fill(cover, ...content);
    },
    clear,
  };
}

/** Who is there, for those who don't see it. @param {Face[]} faces */
export const inWords = (faces) =>
  faces.length ? faces.map((face) => describe(face).title).join(", ") : t("live.nobody");
