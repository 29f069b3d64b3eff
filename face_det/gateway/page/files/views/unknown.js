/** One unknown person: all that was seen; faces that are somebody else's are taken out. */

import { get, part, post, remove } from "../api.js";
import { confirmed } from "../components/dialog.js";
import { nameField } from "../components/namefield.js";
import { empty, skeletons } from "../components/notice.js";
import { createSelection } from "../components/selection.js";
import { openSighting, sightingCard } from "../components/sighting.js";
import { nameUnknown, tell } from "../corrections.js";
import { unknownName } from "../describe.js";
import { button, fill, h, icon } from "../dom.js";
import { go } from "../router.js";
import { t, tn } from "../strings.js";

const MOST = 200;

/** @param {import("../router.js").Place} place */
export async function show({ root, parts, signal }) {
  const id = parts[0] ?? "";
  const path = `unknowns/${part(id)}`;
  const back = () => go("review?unknown");
  const summary = h("p.quiet", null, "\u00a0");
  const list = h("div", null, skeletons("sightings", 8));
  const field = nameField({ label: t("unknown.who") });
  const form = h("form.row.bottom.card", null, field.element, h("button.button.primary", { type: "submit" }, t("unknown.name")));
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    if (field.value()) nameUnknown(id, field.value(), back);
    else field.focus();
  });
  const selection = createSelection({
    signal,
    actions: (sightings) => [button({ icon: "split", text: t("unknown.split"), click: () => tell("unknown.splitDone", post(`${path}/split`, { sightings }), draw) })],
  });
  const forget = async () => {
    const sure = await confirmed({ title: t("person.forgetTitle", { name: unknownName(id) }), text: t("unknown.forgetText"), action: t("person.forget") });
    if (sure) await tell("unknown.forgotten", remove(path), back);
  };
  fill(
    root,
    h("header.head", null, h("div", null, h("a.up", { href: "#/review?unknown" }, icon("back"), t("review.unknowns")), h("h1", null, unknownName(id)), summary), h("div.row", null, button({ icon: "ignore", text: t("review.ignore"), click: () => tell("unknown.ignoredOne", post(`${path}/ignore`), back) }), button({ icon: "trash", text: t("person.forget"), kind: "danger", click: forget }))),
    form, h("p.quiet", null, t("unknown.splitHow")), list, selection.bar,
  );
  const draw = async () => {
    const { items } = await get("sightings", { unknown: id, limit: MOST }, signal);
    summary.textContent = tn("unknown.sightings", items.length);
    const cards = items.map((/** @type {any} */ one, /** @type {number} */ index) => sightingCard(one, draw, () => openSighting(items, index, draw)));
    selection.items(cards);
    fill(list, cards.length ? h("ul.sightings", null, cards.map((/** @type {any} */ one) => one.node)) : empty("people", t("unknown.gone"), ""));
  };
  await draw();
}
