/** One sighting as a card, and large: the whole picture beside the face. */

import { address, ApiError } from "../api.js";
import { confirm, correct, ignore, likely, readSighting } from "../corrections.js";
import { button, fill, h, icon } from "../dom.js";
import { describe, measures } from "../describe.js";
import { go } from "../router.js";
import { percent, t, when } from "../strings.js";
import { askName, openDialog } from "./dialog.js";
import { sightingFace } from "./face.js";

/** @typedef {import("../corrections.js").Sighting} Sighting */

/** The actions by key; each is a click, too. */
export const KEYS = { c: "confirm", n: "notMe", e: "correct", s: "somebody", i: "ignore", w: "why" };

/**
 * Does what a key or a button stands for.
 * @param {string} action @param {Sighting[]} sightings @param {() => any} after
 */
export async function act(action, sightings, after) {
  const [first] = sightings;
  if (!first) return;
  if (action === "confirm") {
    if (sightings.some((one) => likely(one))) return confirm(sightings, null, after);
    action = "correct";
  }
  if (action === "notMe") return sightings.some((one) => one.face) ? correct(sightings, null, after) : undefined;
  if (action === "ignore") return sightings.some((one) => one.unknown) ? ignore(sightings, after) : undefined;
  if (action === "why") return go(`why/${first.id}`);
  const fresh = action === "somebody";
  const name = await askName({
    title: fresh ? t("review.newTitle") : t("review.whoTitle"),
    action: t("capture.save"),
    suggest: !fresh,
    face: sightingFace(first.id, "", { kind: "large" }),
  });
  if (name) await (likely(first) ? correct(sightings, name, after) : confirm(sightings, name, after));
}

/**
 * @param {Sighting} one @param {() => any} after @param {() => any} open
 */
export function sightingCard(one, after, open) {
  const told = describe(one);
  const id = `sighting-${one.id}`;
  const box = h("input", { type: "checkbox", id, "aria-label": t("select", { name: `${told.title}, ${when(one.time)}` }) });
  const opener = h("button.bare-card", { type: "button", "data-id": one.id, "aria-label": t("review.open", { name: told.title, when: when(one.time) }) }, sightingFace(one.id, told.title));
  opener.addEventListener("click", (/** @type {MouseEvent} */ event) => event.shiftKey || open());
  const node = h(
    `li.sighting.${told.tone}`,
    { "data-sighting": one.id },
    opener,
    h("label.tick", { for: id }, box),
    h("div.words", null, h("div.title", null, h("strong", null, told.title), told.proba !== undefined && h("span.proba", null, percent(told.proba))), h("p.quiet", { title: told.why }, told.why || when(one.time))),
    h("div.acts", null, actions(one, after, false)),
  );
  return { key: one.id, node, box };
}

/** @param {Sighting} one @param {() => any} after @param {boolean} all @param {() => any} [before] */
function actions(one, after, all, before) {
  const run = (/** @type {string} */ action) => () => {
    before?.();
    return act(action, [one], after);
  };
  const who = likely(one);
  const named = Boolean(one.face && one.face !== "Unknown");
  return [
    who
      ? button({ icon: "check", text: named ? t("review.yes") : t("review.yesName", { name: who }), kind: "small", title: t("review.confirmHow", { name: who }), click: run("confirm") })
      : button({ icon: "edit", text: t("review.name"), kind: "small", click: run("correct") }),
    named && button({ icon: "cross", text: t("review.notMe", { name: who }), kind: "small", title: t("review.notMeHow", { name: who }), click: run("notMe") }),
    all && who && button({ icon: "edit", text: t("review.correct"), kind: "small", click: run("correct") }),
    all && button({ icon: "plus", text: t("review.somebody"), kind: "small", click: run("somebody") }),
    (all || !named) && one.unknown && button({ icon: "ignore", text: all ? t("review.ignore") : undefined, label: t("review.ignore"), kind: "small", click: run("ignore") }),
    all && button({ icon: "help", text: t("why.title"), kind: "small", click: run("why") }),
  ];
}

/** A button that says: it is this one. @param {Sighting} one @param {{name: string, proba: number}} candidate @param {() => any} after @param {() => any} before */
const chooseName = (one, { name, proba }, after, before) =>
  button({
    icon: "check",
    text: `${name} ${percent(proba)}`,
    kind: "small",
    title: t("review.confirmHow", { name }),
    click: () => {
      before();
      return confirm([one], name, after);
    },
  });

/**
 * Opens sightings one after the other in a dialog.
 * @param {Sighting[]} list @param {number} start @param {() => any} after
 */
export function openSighting(list, start, after) {
  let at = start;
  const body = h("div.large-sighting");
  const dialog = openDialog(t("review.sighting"), [body], { kind: "wide" });
  const place = h("span.quiet");
  const previous = button({ icon: "back", label: t("review.previous"), kind: "bare", click: () => draw(at - 1) });
  const next = button({ icon: "next", label: t("review.next"), kind: "bare", click: () => draw(at + 1) });
  dialog.querySelector("header")?.insertBefore(h("div.row", null, previous, place, next), dialog.querySelector("header .button"));
  const close = () => dialog.close();
  const draw = (/** @type {number} */ index) => {
    if (index < 0 || index >= list.length) return;
    at = index;
    const one = list[at];
    previous.disabled = at === 0;
    next.disabled = at === list.length - 1;
    place.textContent = `${at + 1} / ${list.length}`;
    const told = describe(one);
    const others = one.face ? [] : (one.candidates ?? []).slice(1);
    const frame = h("figure.frame", null, h("div.skeleton"));
    const more = h("p.quiet", null, "\u00a0");
    fill(
      body,
      frame,
      h(
        `div.about.${told.tone}`,
        null,
        sightingFace(one.id, told.title, { kind: "large" }),
        h("div", null, h("div.title", null, h("h3", null, told.title), told.proba !== undefined && h("span.proba", null, percent(told.proba))), told.why && h("p", null, told.why), h("p.quiet", null, [when(one.time), one.camera].filter(Boolean).join(" · ")), more),
        others.length > 0 && h("div.acts", { role: "group", "aria-label": t("review.others") }, others.map((other) => chooseName(one, other, after, close))),
        h("div.acts", null, actions(one, after, true, close)),
      ),
    );
    showFrame(frame, one);
    readSighting(one.id).then(
      (whole) => {
        more.textContent = [measures({ ...whole, qualityParts: whole.qualityParts ?? sizeOf(whole.faceBox) }), whole.edited && t("review.edited")].filter(Boolean).join(" · ");
      },
      () => {},
    );
  };
  dialog.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.target instanceof Element && event.target.closest("input")) return;
    if (event.key === "ArrowLeft") draw(at - 1);
    else if (event.key === "ArrowRight") draw(at + 1);
    else if (event.key in KEYS && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      // The list behind takes the same keys, and once this is closed it would do the same again.
      event.stopPropagation();
      close();
      act(KEYS[/** @type {keyof typeof KEYS} */ (event.key)], [list[at]], after);
    }
  });
  draw(at);
}

/** @param {any} box */
const sizeOf = (box) => ({ sizePx: Math.min(box.xmax - box.xmin, box.ymax - box.ymin) });

/** The face's box in the picture, which is at times kept smaller than its image. @param {Sighting} one @param {{width: number, height: number}} size */
function boxIn(one, { width, height }) {
  const { xmin, ymin, xmax, ymax } = one.faceBox;
  const box = h(`div.box.${describe(one).tone}`, { "aria-hidden": "true" });
  box.style.left = `${(100 * xmin) / width}%`;
  box.style.top = `${(100 * ymin) / height}%`;
  box.style.width = `${(100 * (xmax - xmin)) / width}%`;
  box.style.height = `${(100 * (ymax - ymin)) / height}%`;
  return box;
}

/** Shows the whole picture with the face in its box; says so if it was not kept. @param {HTMLElement} frame @param {Sighting} one */
async function showFrame(frame, one) {
  const image = h("img", { alt: t("review.picture"), src: address(`sightings/${one.id}/picture`) });
  try {
    const whole = await readSighting(one.id);
    if (!whole.picture) throw new ApiError(404, "UnknownSighting", "");
    await image.decode();
    const picture = h("div.whole", null, image, whole.imageSize && boxIn(whole, whole.imageSize));
    picture.style.setProperty("--ratio", String(image.naturalWidth / image.naturalHeight));
    fill(frame, picture);
  } catch {
    fill(frame, h("div.nothing", null, icon("photo"), h("p", null, t("review.noPicture")), h("p.quiet", null, t("review.noPictureHow"), " ", h("code", null, '"frames": true'))));
  }
}
