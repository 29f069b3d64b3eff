/** Unknown people as groups: name them, merge them, ignore them. */

import { get, isAbort, part, post } from "../api.js";
import { sightingFace } from "../components/face.js";
import { nameField } from "../components/namefield.js";
import { empty, skeletons } from "../components/notice.js";
import { createSelection } from "../components/selection.js";
import { fail } from "../components/toast.js";
import { nameUnknown, tell } from "../corrections.js";
import { unknownName } from "../describe.js";
import { button, fill, h } from "../dom.js";
import { listen } from "../events.js";
import { t, tn, when } from "../strings.js";

const SHOWN = 8;

/** @param {HTMLElement} body @param {AbortSignal} signal */
export async function showGroups(body, signal) {
  const list = h("div", null, skeletons("groups", 3));
  const selection = createSelection({
    signal,
    actions: (ids) => [
      ids.length > 1 && button({ icon: "merge", text: t("unknown.merge"), click: () => tell("unknown.merged", post("unknowns/merge", { ids }), draw) }),
      button({ icon: "ignore", text: t("review.ignore"), click: () => ignoreAll(ids) }),
    ],
  });
  const ignoreAll = async (/** @type {string[]} */ ids) => {
    for (const id of ids) await tell("unknown.ignoredOne", post(`unknowns/${part(id)}/ignore`), () => {});
    selection.clear();
    await draw();
  };
  const draw = async () => {
    try {
      const { unknowns } = await get("unknowns", {}, signal);
      const cards = unknowns.map((/** @type {any} */ one) => groupCard(one, draw, signal));
      selection.items(cards.map((/** @type {any} */ node, /** @type {number} */ index) => ({ key: unknowns[index].id, node, box: node.querySelector("input[type=checkbox]") })));
      fill(list, cards.length ? h("ul.groups", null, cards) : empty("people", t("unknown.none"), t("unknown.noneHow")));
    } catch (error) {
      if (isAbort(error) || !list.querySelector(".groups li")) throw error;
      fail(error);
    }
  };
  fill(body, h("p.lead", null, t("unknown.lead")), list, selection.bar);
  await draw();
  listen((type) => {
    const typing = body.contains(document.activeElement) && document.activeElement instanceof HTMLInputElement;
    if (["seen", "corrected", "named", "poll"].includes(type) && !typing && !selection.any()) draw();
  }, signal);
}

/** @param {any} group @param {() => any} after @param {AbortSignal} signal */
function groupCard(group, after, signal) {
  const name = unknownName(group.id);
  const id = `pick-${group.id}`;
  const faces = h("div.many", { "aria-hidden": "true" });
  const field = nameField({ label: t("unknown.who"), accept: () => form.requestSubmit() });
  const form = h("form.row.bottom", null, field.element, h("button.button.primary", { type: "submit" }, t("unknown.name")));
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (field.value()) await nameUnknown(group.id, field.value(), after);
    else field.focus();
  });
  get("sightings", { unknown: group.id, limit: SHOWN }, signal).then(
    ({ items }) => fill(faces, items.filter((/** @type {any} */ one) => one.id !== group.best).slice(0, SHOWN - 2).map((/** @type {any} */ one) => sightingFace(one.id, ""))),
    () => {},
  );
  return h(
    "li.group",
    null,
    h("a.best", { href: `#/unknown/${part(group.id)}`, "aria-label": t("unknown.open", { name }) }, sightingFace(group.best, name, { kind: "large" })),
    h(
      "div.grow.stack",
      null,
      h("div.between", null, h("h2", null, name), h("div.row", null, button({ icon: "ignore", label: t("review.ignore"), kind: "bare", click: () => tell("unknown.ignoredOne", post(`unknowns/${part(group.id)}/ignore`), after) }), h("label.tick.inline", { for: id }, h("input", { type: "checkbox", id, "aria-label": t("select", { name }) })))),
      h("p.quiet", null, [tn("unknown.visits", group.visits), tn("unknown.sightings", group.sightings), group.cameras?.[0], t("unknown.last", { when: when(group.last) })].filter(Boolean).join(" · ")),
      faces,
      form,
    ),
  );
}
