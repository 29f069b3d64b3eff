/** Everybody who is enrolled. */

import { get, isAbort, part, post, remove } from "../api.js";
import { askName, confirmed } from "../components/dialog.js";
import { personFace } from "../components/face.js";
import { empty, skeletons } from "../components/notice.js";
import { createSelection } from "../components/selection.js";
import { changed, fail } from "../components/toast.js";
import { qualityTone, qualityWord } from "../describe.js";
import { button, fill, h } from "../dom.js";
import { listen } from "../events.js";
import { forgetPeople } from "../people.js";
import { go } from "../router.js";
import { t, tn } from "../strings.js";

/** @param {import("../router.js").Place} place */
export async function show({ root, signal }) {
  const grid = h("div", null, skeletons("portraits", 6));
  const summary = h("p.quiet", null, "\u00a0");
  const add = button({ icon: "plus", text: t("people.add"), kind: "primary", click: () => addPerson() });
  const selection = createSelection({
    signal,
    actions: (names) => [
      names.length > 1 && button({ icon: "merge", text: t("people.merge"), click: () => merge(names) }),
      button({ icon: "trash", text: t("people.remove"), kind: "danger", click: () => removeAll(names) }),
    ],
  });
  fill(root, h("header.head", null, h("div", null, h("h1", null, t("nav.people")), summary), h("div.row", null, add)), grid, selection.bar);

  const draw = async () => {
    const { people } = await get("people", {}, signal);
    forgetPeople();
    summary.textContent = people.length ? tn("people.count", people.length) : "\u00a0";
    if (!people.length) {
      selection.items([]);
      return fill(grid, empty("people", t("people.none"), t("people.noneHow"), button({ icon: "plus", text: t("start.title"), kind: "primary", click: () => go("start") })));
    }
    const cards = people.map((/** @type {any} */ person) => card(person));
    selection.items(cards.map((/** @type {any} */ one, /** @type {number} */ index) => ({ key: people[index].name, node: one, box: one.querySelector("input") })));
    return fill(grid, h("ul.portraits", null, cards));
  };
  const merge = async (/** @type {string[]} */ names) => {
    const into = await askName({ title: t("people.mergeInto", { names: names.join(", ") }), action: t("people.merge"), value: names[0] });
    if (!into) return;
    await change(post("people/merge", { names: names.filter((one) => one !== into), into }), t("people.merged", { name: into }));
  };
  const removeAll = async (/** @type {string[]} */ names) => {
    const sure = names.length === 1 || (await confirmed({ title: tn("people.removeMany", names.length), text: t("people.removeHow"), action: t("people.remove") }));
    if (!sure) return;
    const changes = [];
    try {
      for (const name of names) changes.push((await remove(`people/${part(name)}`)).change);
    } catch (error) {
      fail(error);
    }
    if (changes.length) changed(tn("people.removed", changes.length, { name: names[0] }), changes.filter(Boolean), draw);
    selection.clear();
    await draw();
  };
  const change = async (/** @type {Promise<any>} */ going, /** @type {string} */ text) => {
    try {
      const answer = await going;
      changed(text, answer.change ? [answer.change] : [], draw);
    } catch (error) {
      fail(error);
    }
    selection.clear();
    await draw();
  };
  listen((type) => ["enrolled", "forgotten", "named", "trained"].includes(type) && !selection.any() && draw().catch((error) => isAbort(error) || fail(error)), signal);
  await draw();
}

async function addPerson() {
  const name = await askName({ title: t("people.new"), action: t("start.next"), suggest: false });
  if (name) go(`person/${part(name)}?new`);
}

/** @param {any} person */
function card(person) {
  const like = lookAlikes(person);
  const id = `pick-${part(person.name)}`;
  const box = h("input", { type: "checkbox", id, "aria-label": t("select", { name: person.name }) });
  return h(
    "li.portrait",
    null,
    h("a", { href: `#/person/${part(person.name)}` }, personFace(person, 480), h("strong", null, person.name)),
    h("p.quiet", null, holdings(person), person.quality !== undefined && person.quality !== null && h(`span.quality.${qualityTone(person.quality)}`, null, qualityWord(person.quality))),
    like.length > 0 && h("p.quiet.like", null, t("people.like", { names: like.join(", ") })),
    h("label.tick", { for: id }, box),
  );
}

/** How many photos and recordings there are of somebody. @param {any} person */
export const holdings = (person) => [tn("people.photos", person.images), person.recordings > 0 && tn("voice.count", person.recordings)].filter(Boolean).join(" · ");

/** The cosine of two people's mean encodings from which they may be mistaken; strangers have about 0. */
const ALIKE = 0.4;

/** @param {any} person @returns {string[]} */
export const lookAlikes = (person) => (person.lookAlikes ?? []).filter((/** @type {any} */ one) => one.similarity >= ALIKE).map((/** @type {any} */ one) => one.name);
