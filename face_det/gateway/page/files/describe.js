/** Says in words what was found about a face. */

import { has, number, percent, t } from "./strings.js";

/** @typedef {import("./api.js").Face} Face */

export const GOOD = 0.7;
export const FAIR = 0.5;

/** Whom a face was taken for; "" for nobody. @param {Partial<Face>} face */
export const knownName = (face) => (face.face && face.face !== "Unknown" ? face.face : "");

/**
 * Returns a title, a reason in words ("" if none is needed), and a tone: known, uncertain, unknown or poor.
 * @param {Partial<Face> & {unknown?: string | null}} face
 */
export function describe(face) {
  const proba = face.faceProba;
  const name = knownName(face);
  if (name) return { title: name, why: "", tone: "known", proba };
  const reason = face.faceReason;
  if (reason && reason !== "unrecognised" && has(`reason.${reason}`)) {
    return { title: t("face.unclear"), why: t(`reason.${reason}`), tone: "poor", proba: undefined };
  }
  const poor = face.quality !== undefined && face.quality !== null && face.quality < FAIR;
  const seen = poor ? ` ${t("reason.poor")}` : "";
  if (face.outcome === "uncertain") {
    const [first] = face.candidates ?? [];
    // Nobody is known at all, or nobody comes near.
    if (face.candidates && !first) return { title: t("face.new"), why: seen.trim(), tone: "unknown", proba: undefined };
    const title = first ? t("face.perhaps", { name: first.name }) : t("face.uncertain");
    return { title, why: t("reason.uncertain") + seen, tone: "uncertain", proba: first?.proba };
  }
  const title = face.unknown ? unknownName(face.unknown) : t("face.stranger");
  return { title, why: t("reason.stranger") + seen, tone: "unknown", proba: undefined };
}

/** "Unknown 3" for "unknown-3". @param {string} id */
export const unknownName = (id) => t("face.numbered", { n: id.replace(/^unknown-/, "") });

/** @param {number | null | undefined} quality */
export function qualityWord(quality) {
  if (quality === null || quality === undefined) return "";
  return quality >= GOOD ? t("quality.good") : quality >= FAIR ? t("quality.fair") : t("quality.poor");
}

/** @param {number | null | undefined} quality */
export const qualityTone = (quality) =>
  quality === null || quality === undefined ? "none" : quality >= GOOD ? "good" : quality >= FAIR ? "fair" : "poor";

/** What a face measures, such as "64 px, sharp". @param {any} face */
export function measures(face) {
  const parts = face.qualityParts ?? face;
  const told = [];
  if (parts.sizePx) told.push(t("measure.size", { n: number(Math.round(parts.sizePx)) }));
  if (face.quality !== undefined && face.quality !== null) told.push(t("measure.quality", { word: qualityWord(face.quality), value: percent(face.quality) }));
  return told.join(" · ");
}
