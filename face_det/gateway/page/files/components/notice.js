/** A sentence or two in a frame, with an icon. */

import { h, icon } from "../dom.js";

/** @param {string} name the icon @param {string} text @param {...any} more */
export const notice = (name, text, ...more) =>
  h(`div.notice.${name}`, null, icon(name), h("div", null, h("p", null, text), ...more.filter(Boolean).map((one) => (typeof one === "string" ? h("p.quiet", null, one) : one))));

/**
 * What is shown where there is nothing yet.
 * @param {string} name the icon @param {string} title @param {string} text @param {...any} actions
 */
export const empty = (name, title, text, ...actions) =>
  h("div.empty", null, h("div.badge", null, icon(name)), h("h2", null, title), h("p", null, text), actions.length > 0 && h("div.row.centred", null, actions));

/** Grey shapes in the place of what is on its way. @param {string} kind @param {number} count */
export const skeletons = (kind, count) =>
  h(`div.${kind}`, { "aria-hidden": "true" }, Array.from({ length: count }, () => h("div.skeleton")));
