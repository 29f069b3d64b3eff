/** Why a face was answered so: what it was compared with, what a name requires, which photo to blame. */

import { get, remove, upload } from "../api.js";
import { act } from "../components/sighting.js";
import { face as faceImage, photoAddress, sightingFace } from "../components/face.js";
import { empty, skeletons } from "../components/notice.js";
import { changed, fail } from "../components/toast.js";
import { acceptDrops } from "../components/upload.js";
import { readSighting } from "../corrections.js";
import { describe, measures, qualityTone } from "../describe.js";
import { button, fill, h, icon } from "../dom.js";
import { keepLive, keptLive } from "../live-face.js";
import { crop, decode } from "../pictures.js";
import { refresh, replace } from "../router.js";
import { number, percent, t, when } from "../strings.js";

/** @param {import("../router.js").Place} place */
export async function show({ root, parts, signal }) {
  const live = parts[0] === "live" ? keptLive() : null;
  const head = h("header.head", null, h("div", null, h("a.up", { href: live ? "#/live" : "#/review" }, icon("back"), t(live ? "nav.live" : "nav.review")), h("h1", null, t("why.title"))));
  const body = h("div.stack", null, skeletons("sightings", 4));
  fill(root, head, body);
  if (live) {
    const told = await upload("why", live.blob, { faceBox: JSON.stringify(live.face.faceBox) }, signal);
    return draw(body, told, faceImage(live.picture, "", { kind: "large" }), null);
  }
  if (!parts[0] || parts[0] === "live") return ask(body, signal);
  const [sighting, told] = await Promise.all([readSighting(Number(parts[0])), get(`sightings/${Number(parts[0])}/why`, {}, signal)]);
  return draw(body, told, sightingFace(sighting.id, "", { kind: "large" }), sighting);
}

/** @param {HTMLElement} body @param {AbortSignal} signal */
function ask(body, signal) {
  const input = h("input.unseen", { type: "file", accept: "image/*" });
  const zone = h("label.drop", null, input, icon("help"), h("strong", null, t("why.drop")), h("span.quiet", null, t("why.dropHow")));
  const take = async (/** @type {File[]} */ files) => {
    if (!files[0]) return;
    try {
      const bitmap = await decode(files[0]);
      const { faces } = await upload("faces", files[0], {}, signal);
      if (!faces.length) throw new Error(t("upload.nobody"));
      keepLive({ face: faces[0], blob: files[0], picture: bitmap ? crop(bitmap, faces[0].faceBox, 320) : "" });
      await replace("why/live");
    } catch (error) {
      fail(error);
    }
  };
  input.addEventListener("change", () => take([...(input.files ?? [])]));
  acceptDrops(zone, take, signal);
  fill(body, zone);
}

/** @param {HTMLElement} body @param {any} told @param {HTMLElement} picture @param {any} sighting */
function draw(body, told, picture, sighting) {
  const words = describe({ ...sighting, ...told });
  const correction = sighting && h("div.row", null, button({ icon: "cross", text: t("review.notMe", { name: told.face }), hidden: !told.face || told.face === "Unknown", click: () => act("notMe", [sighting], refresh) }), button({ icon: "edit", text: t("review.correct"), click: () => act("correct", [sighting], refresh) }));
  fill(
    body,
    h(
      `section.card.answer.${words.tone}`,
      null,
      picture,
      h(
        "div.stack",
        null,
        h("div.title", null, h("h2", null, words.title), words.proba !== undefined && h("span.proba", null, percent(words.proba))),
        words.why && h("p", null, words.why),
        told.faceExplanation && h("p.quiet", { lang: "en" }, told.faceExplanation),
        h("p.quiet", null, [measures(told), sighting && when(sighting.time), sighting?.camera].filter(Boolean).join(" · ")),
        told.quality !== null && told.quality !== undefined && meter(t("why.quality"), told.quality, 0.5, percent(told.quality), qualityTone(told.quality)),
        ...requirements(told.threshold),
        correction,
      ),
    ),
    told.blame && blame(told.blame),
    h("section", null, h("h2", null, t("why.nearest")), nearest(told.nearest ?? [])),
  );
}

const MANY_TIMES = 1000;

/** @typedef {{kind: string, reached: number, needed: number, bound: "at_least" | "at_most", met: boolean}} Requirement */

/** @param {any} threshold */
function requirements(threshold) {
  const list = threshold?.requirements ?? [];
  return list.map((/** @type {Requirement} */ one) =>
    meter(t(`why.kind.${one.kind}`, { name: threshold.name }), progress(one) / 1.5, 1 / 1.5, told(one), one.met ? "good" : "poor"));
}

/** The bar's length, 1 for what is needed. @param {Requirement} one */
const progress = ({ kind, reached, needed }) =>
  // A score may be below zero.
  kind === "score" ? 1 + reached - needed : reached / Math.max(needed, 1e-9);

/** What was reached and what is needed, such as "0.15, at most 1.13". @param {Requirement} one */
function told({ kind, reached, needed, bound }) {
  const text = bound === "at_most" ? "why.atMost" : "why.atLeast";
  if (kind === "proba") return t(text, { reached: percent(reached), needed: percent(needed) });
  // A miss by a hair is to be seen, too.
  const digits = [2, 3, 4].find((one) => reached.toFixed(one) !== needed.toFixed(one)) ?? 2;
  const exact = (/** @type {number} */ value) => number(value, { maximumFractionDigits: digits });
  if (kind !== "ratio") return t(text, { reached: exact(reached), needed: exact(needed) });
  // If nobody else comes near, the ratio is enormous and means nothing.
  const times = reached > MANY_TIMES ? t("why.manyTimes", { n: number(MANY_TIMES) }) : t("why.times", { n: reached < 10 ? exact(reached) : number(Math.round(reached)) });
  return t("why.ratio", { times, needed: exact(needed) });
}

/** @param {string} label @param {number} value @param {number} mark @param {string} text @param {string} tone */
function meter(label, value, mark, text, tone) {
  const bar = h("span.bar");
  const line = h("span.mark");
  bar.style.width = `${100 * Math.max(0, Math.min(1, value))}%`;
  line.style.left = `${100 * mark}%`;
  return h(`div.meter.${tone}`, null, h("div.between", null, h("span", null, label), h("span.quiet", null, text)), h("div.track", { "aria-hidden": "true" }, bar, line));
}

/** @param {any} one */
function blame(one) {
  const drop = async () => {
    try {
      const answer = await remove(`people/${encodeURIComponent(one.name)}/photos/${encodeURIComponent(one.photo)}`);
      changed(t("why.removed"), answer.change ? [answer.change] : [], refresh);
      await refresh();
    } catch (error) {
      fail(error);
    }
  };
  return h(
    "section.card.blame",
    null,
    faceImage(one.photo ? photoAddress(one.name, one.photo, { face: true, size: 240 }) : null, one.name),
    h("div.stack", null, h("h2", null, t("why.blame", { name: one.name })), h("p", { lang: "en" }, one.why), one.photo && h("div.row", null, button({ icon: "trash", text: t("why.dropPhoto"), kind: "danger", click: drop }))),
  );
}

/** @param {any[]} list */
function nearest(list) {
  if (!list.length) return empty("photo", t("why.nothing"), t("why.nothingHow"));
  return h(
    "ol.nearest",
    null,
    list.map((one) => {
      const bar = h("span.bar");
      bar.style.width = `${100 * Math.max(0, Math.min(1, one.similarity))}%`;
      return h(
        "li",
        null,
        h("a", { href: `#/person/${encodeURIComponent(one.name)}` }, faceImage(one.photo ? photoAddress(one.name, one.photo, { face: true, size: 320 }) : null, one.name), h("strong", null, one.name)),
        h("div.track", { "aria-hidden": "true" }, bar),
        h("p.quiet", null, t("why.similar", { value: number(one.similarity, { maximumFractionDigits: 2, minimumFractionDigits: 2 }), rank: one.rank })),
      );
    }),
  );
}
