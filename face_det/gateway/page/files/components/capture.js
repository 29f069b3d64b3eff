/** Takes examples of one face from what the camera shows, with hints in words. */

import { part, upload } from "../api.js";
import { knownName } from "../describe.js";
import { button, fill, h, say } from "../dom.js";
import { holdPage } from "../leaving.js";
import { forgetPeople } from "../people.js";
import { crop, difference, sketch } from "../pictures.js";
import { detail } from "../problems.js";
import { t, tn } from "../strings.js";
import { nameField } from "./namefield.js";
import { changed, fail, toast } from "./toast.js";

export const EXAMPLES = 10;
const PAUSE_MS = 350;
const PATIENCE_MS = 2500;
const NEAR_PX = 70;
const SHARP = 25;
const MOVED = 9;
const TURNS = ["left", "right", "up", "down", "smile"];

/**
 * Says what is wrong with a picture as an example, as the key of a hint; null if it is good.
 * @param {import("../watching.js").Seen} seen
 */
export function fault({ faces, width, height }) {
  if (faces.length === 0) return "capture.nobody";
  if (faces.length > 1) return "capture.several";
  const { faceBox: box, quality, sharpness, faceReason } = faces[0];
  if (box.xmin < 1 || box.ymin < 1 || box.xmax > width - 1 || box.ymax > height - 1) return "capture.edge";
  if (faceReason === "too_small" || Math.min(box.xmax - box.xmin, box.ymax - box.ymin) < NEAR_PX) return "capture.closer";
  if (faceReason === "too_blurry" || (sharpness !== undefined && sharpness < SHARP)) return "capture.blurred";
  if (quality !== undefined && quality !== null && quality < 0.5) return "capture.light";
  return null;
}

/**
 * @param {{name?: string, done?: (name: string) => any, cancel?: () => any, autofocus?: boolean}} options
 * @returns {{element: HTMLElement, see: (seen: import("../watching.js").Seen) => void}}
 */
export function createCapture({ name = "", done, cancel }) {
  /** @type {{blob: Blob, sketch: number[], name: string}[]} */
  const taken = [];
  let last = 0;
  const slots = Array.from({ length: EXAMPLES }, () => h("li"));
  const hint = h("p.hint", { "aria-live": "polite" }, t("capture.look"));
  const strip = h("ol.filmstrip", { "aria-label": t("capture.examples") }, slots);
  const count = h("span.count", null, `0 / ${EXAMPLES}`);
  const body = h("div.stack", null, h("div.between", null, hint, count), strip);
  const element = h("section.card.capture", { "aria-label": t("capture.title") }, body, cancel && h("div.row", null, button({ text: t("cancel"), click: cancel })));
  let told = "";
  let toldAt = 0;

  const tell = (/** @type {string} */ key, tone = "") => {
    // A hint stays long enough to be read.
    if (key === told || performance.now() - toldAt < 700) return;
    told = key;
    toldAt = performance.now();
    hint.textContent = t(key);
    hint.className = `hint ${tone}`;
  };

  const see = (/** @type {import("../watching.js").Seen} */ seen) => {
    if (taken.length >= EXAMPLES) return;
    const wrong = fault(seen);
    if (wrong) return tell(wrong, "wrong");
    const now = performance.now();
    const box = seen.faces[0].faceBox;
    const drawn = sketch(/** @type {any} */ (seen.source), box);
    const moved = taken.every((one) => difference(one.sketch, drawn) > MOVED);
    if (now - last < PAUSE_MS) return;
    if (!moved && now - last < PATIENCE_MS) return tell(`capture.turn.${TURNS[Math.floor(taken.length / 2) % TURNS.length]}`);
    last = now;
    slots[taken.length].append(h("img", { src: crop(seen.source, box, 96), alt: "" }));
    slots[taken.length].className = "there";
    taken.push({ blob: seen.blob, sketch: drawn, name: knownName(seen.faces[0]) });
    count.textContent = `${taken.length} / ${EXAMPLES}`;
    if (taken.length === EXAMPLES) ask();
    else tell(`capture.turn.${TURNS[Math.floor(taken.length / 2) % TURNS.length]}`);
  };

  const ask = () => {
    hint.textContent = t("capture.enough");
    hint.className = "hint good";
    say(t("capture.enough"));
    const likely = taken.every((one) => one.name === taken[0].name) ? taken[0].name : "";
    const field = nameField({ label: t("capture.who"), value: name || likely });
    const form = h("form.row.bottom", null, field.element, h("button.button.primary", { type: "submit" }, t("capture.save")));
    form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      if (!field.value()) return field.focus();
      form.remove();
      save(field.value());
    });
    body.append(form);
    field.focus();
  };

  const save = async (/** @type {string} */ person) => {
    const bar = h("progress", { max: EXAMPLES, value: 0, "aria-label": t("capture.saving", { name: person }) });
    hint.textContent = t("capture.saving", { name: person });
    hint.className = "hint";
    body.append(bar);
    const release = holdPage();
    const changes = [];
    /** @type {unknown} */
    let wrong = null;
    let stored = 0;
    for (const [index, one] of taken.entries()) {
      try {
        const answer = await upload(`people/${part(person)}/photos`, one.blob);
        stored += 1;
        if (answer.change) changes.push(answer.change);
      } catch (error) {
        wrong = error;
        // The first one says what is wrong with the name; the others would only say it again.
        if (!stored) break;
      }
      bar.value = index + 1;
    }
    forgetPeople();
    bar.remove();
    release();
    if (!stored) {
      fail(wrong);
      return ask();
    }
    fill(body, h("p.hint.good", null, t("capture.done", { name: person })));
    changed(tn("people.added", stored, { name: person }), changes, forgetPeople);
    const missed = taken.length - stored;
    if (missed) toast(tn("upload.notAdded", missed, { name: person }), { warn: true, more: detail(wrong) });
    say(t("capture.done", { name: person }));
    await done?.(person);
  };

  return { element, see };
}

/** Stores one picture of a face under a name. @param {string} name @param {Blob} blob @param {any} box null: the only one */
export async function enrol(name, blob, box) {
  const release = holdPage();
  const answer = await upload(`people/${part(name)}/photos`, blob, box ? { faceBox: JSON.stringify(box) } : {}).finally(release);
  forgetPeople();
  changed(t("people.learnt", { name }), answer.change ? [answer.change] : [], forgetPeople);
  return answer;
}
