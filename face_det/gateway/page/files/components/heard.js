/** Who was heard near cameras lately: voices leave no faces to be confirmed or corrected. */

import { ApiError, get, part } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { percent, t, when } from "../strings.js";

const MOST = 6;

/**
 * @param {{outcome: string, name: string, camera: string}} filters what Review shows @param {AbortSignal} signal
 * @returns {{element: HTMLElement, draw: () => Promise<void>}}
 */
export function createHeard(filters, signal) {
  const list = h("ul.heard-list");
  const element = h("section.card.heard", { hidden: true, "aria-label": t("heard.title") }, h("h2", null, icon("voice"), t("heard.title")), list);
  const draw = async () => {
    const { name, camera, outcome } = filters;
    const found = await get("heard", { limit: MOST, name, camera }, signal).catch(nothing);
    const heard = found.heard.filter((/** @type {any} */ one) => !outcome || one.outcome === outcome);
    element.hidden = heard.length === 0;
    fill(list, heard.map(entry));
  };
  return { element, draw };
}

/** @param {any} one */
function entry(one) {
  const who = one.name ? h("a", { href: `#/person/${part(one.name)}` }, one.name) : h("span", null, t(one.outcome === "uncertain" ? "heard.somebody" : "heard.stranger"));
  const facts = [one.camera, when(one.time), one.probability !== null && percent(one.probability)];
  return h("li", null, who, h("span.quiet", null, facts.filter(Boolean).join(" · ")));
}

/** Nothing is kept, or the gateway is older. @param {unknown} error */
function nothing(error) {
  if (error instanceof ApiError && (error.missing || error.code === "SightingsOff")) return { heard: [] };
  throw error;
}
