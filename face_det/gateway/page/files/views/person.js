/** One person: photos, and what can be done about them. */

import { address, ApiError, get, part, post, remove } from "../api.js";
import { askName, confirmed, openDialog } from "../components/dialog.js";
import { face, photoAddress } from "../components/face.js";
import { empty, notice, skeletons } from "../components/notice.js";
import { createSelection } from "../components/selection.js";
import { changed, fail } from "../components/toast.js";
import { createUpload } from "../components/upload.js";
import { createVoice } from "../components/voice.js";
import { qualityTone, qualityWord } from "../describe.js";
import { button, fill, h, icon } from "../dom.js";
import { forgetPeople, knownPeople } from "../people.js";
import { go } from "../router.js";
import { ago, percent, t, tn } from "../strings.js";
import { holdings, lookAlikes } from "./people.js";

/** @param {import("../router.js").Place} place */
export async function show({ root, parts, query, signal }) {
  const name = parts[0] ?? "";
  const path = `people/${part(name)}`;
  const summary = h("p.quiet", null, "\u00a0");
  const likeness = h("div", { hidden: true });
  const photos = h("div", null, skeletons("photos", 8));
  const adding = createUpload({ name, signal, added: () => draw() });
  const upload = h("details.card", { open: query.has("new") }, h("summary", null, icon("plus"), t("people.addPhotos")), adding.element);
  const voice = createVoice({ name, signal, changed: () => draw() });
  const selection = createSelection({
    signal,
    actions: (chosen) => [
      button({ icon: "move", text: t("person.move"), click: () => moveAll(chosen) }),
      button({ icon: "trash", text: t("delete"), kind: "danger", click: () => removeAll(chosen) }),
    ],
  });
  const known = query.has("new") ? [] : [
    button({ icon: "review", text: t("person.seen"), click: () => go(`review?name=${part(name)}`) }),
    button({ icon: "edit", text: t("person.rename"), click: () => rename() }),
    button({ icon: "more", label: t("more"), click: () => more() }),
  ];
  fill(
    root,
    h("header.head", null, h("div", null, h("a.up", { href: "#/people" }, icon("back"), t("nav.people")), h("h1", null, name), summary), h("div.row", null, known)),
    likeness, upload, voice.element, photos, selection.bar,
  );

  /** Does something, tells of it with "Undo", and draws anew. */
  const change = async (/** @type {() => Promise<any>} */ work, /** @type {string} */ text, after = draw) => {
    try {
      const answer = await work();
      forgetPeople();
      changed(text, answer?.change ? [answer.change] : [], after);
      return true;
    } catch (error) {
      fail(error);
      return false;
    }
  };
  const each = async (/** @type {string[]} */ chosen, /** @type {(photo: string) => Promise<any>} */ work, /** @type {string} */ text) => {
    const changes = [];
    try {
      for (const photo of chosen) changes.push((await work(photo)).change);
    } catch (error) {
      fail(error);
    }
    forgetPeople();
    selection.clear();
    if (changes.length) changed(tn(text, changes.length), changes.filter(Boolean), draw);
    await draw();
  };
  const removeAll = (/** @type {string[]} */ chosen) => each(chosen, (photo) => remove(`${path}/photos/${part(photo)}`), "person.deleted");
  const moveAll = async (/** @type {string[]} */ chosen, value = "") => {
    const to = await askName({ title: tn("person.moveTo", chosen.length), action: t("person.move"), value });
    if (to) await each(chosen, (photo) => post(`${path}/photos/${part(photo)}/move`, { to }), "person.moved");
  };
  const rename = async () => {
    const to = await askName({ title: t("person.renameTo", { name }), action: t("person.rename"), value: name, suggest: false });
    if (!to || to === name) return;
    if (await change(() => post(`${path}/rename`, { to }), t("person.renamed", { name: to }), () => go("people"))) go(`person/${part(to)}`);
  };
  const more = () => {
    const leave = () => menu.close();
    const run = (/** @type {() => any} */ work) => () => {
      leave();
      return work();
    };
    const menu = openDialog(name, [
      h(
        "div.menu",
        null,
        entry("merge", t("person.merge"), t("person.mergeHow"), run(merge)),
        h("a.entry", { href: address(`${path}/export`), download: `${name}.zip` }, icon("download"), h("span", null, h("strong", null, t("person.export")), h("span.quiet", null, t("person.exportHow")))),
        entry("trash", t("people.remove"), t("people.removeHow"), run(removePerson)),
        entry("warn", t("person.forget"), t("person.forgetHow"), run(forget), "danger"),
      ),
    ], { kind: "small" });
  };
  const merge = async () => {
    const into = await askName({ title: t("person.mergeInto", { name }), action: t("people.merge") });
    if (!into || into === name) return;
    if (await change(() => post("people/merge", { names: [name], into }), t("people.merged", { name: into }), () => go("people"))) go(`person/${part(into)}`);
  };
  const removePerson = async () => {
    if (await change(() => remove(path), tn("people.removed", 1, { name }), () => go(`person/${part(name)}`))) go("people");
  };
  const forget = async () => {
    const sure = await confirmed({ title: t("person.forgetTitle", { name }), text: t("person.forgetText"), action: t("person.forget"), typed: name });
    if (sure && (await change(() => post(`${path}/forget`), t("person.forgotten", { name })))) go("people");
  };

  const draw = async () => {
    const fresh = query.has("new") && !(await knownPeople()).some((/** @type {any} */ one) => one.name === name);
    const [people, answer] = await Promise.all([
      knownPeople(),
      fresh ? null : get(path, {}, signal).catch((error) => {
        if (error instanceof ApiError && (error.missing || error.code === "UnknownPerson")) return error;
        throw error;
      }),
    ]);
    const person = people.find((/** @type {any} */ one) => one.name === name);
    summary.textContent = person ? holdings(person) : t("person.new");
    // Only who has recordings is asked for them: somebody may just have been renamed.
    await voice.draw(person?.recordings > 0);
    const like = person ? lookAlikes(person) : [];
    likeness.hidden = like.length === 0;
    fill(likeness, like.length > 0 && notice("warn", t("person.like", { names: like.join(", ") })));
    if (answer === null || answer instanceof ApiError) return fill(photos, person && notice("help", t("error.missing")));
    const cards = answer.photos.map((/** @type {any} */ photo) => card(name, photo, () => moveAll([photo.photo], photo.wrongPerson?.likely)));
    selection.items(cards.map((/** @type {any} */ one, /** @type {number} */ index) => ({ key: answer.photos[index].photo, node: one, box: one.querySelector("input") })));
    return fill(photos, cards.length ? h("ul.photos", null, cards) : empty("photo", t("person.none"), t("upload.how")));
  };
  if (query.has("new")) adding.focus();
  await draw();
}

/** @param {string} name the icon @param {string} title @param {string} text @param {() => any} click */
function entry(name, title, text, click, kind = "") {
  const made = h(`button.entry${kind && `.${kind}`}`, { type: "button" }, icon(name), h("span", null, h("strong", null, title), h("span.quiet", null, text)));
  made.addEventListener("click", click);
  return made;
}

/** @param {string} name @param {any} photo @param {() => any} move */
function card(name, photo, move) {
  const id = `pick-${part(photo.photo)}`;
  const box = h("input", { type: "checkbox", id, "aria-label": t("select", { name: photo.photo }) });
  const left = photo.state !== "enrolled";
  const crop = face(photoAddress(name, photo.photo, photo.faceBox ? { face: true, size: 360 } : { size: 360 }), "", { alt: t("person.photo", { name, when: ago(photo.added) }) });
  const open = h("button.bare-card", { type: "button" }, crop);
  open.addEventListener("click", (/** @type {MouseEvent} */ event) => event.shiftKey || large(name, photo));
  return h(
    `li.photo${left ? ".left" : ""}`,
    null,
    open,
    h("label.tick", { for: id }, box),
    photo.wrongPerson && h("p.why", null, h("span", null, doubt(photo.wrongPerson)), button({ icon: "move", text: t("person.move"), kind: "small", click: move })),
    left ? h("p.why", null, photo.reason ?? t("person.leftOut")) : h("p.quiet", null, !photo.wrongPerson && h(`span.quality.${qualityTone(photo.quality)}`, null, qualityWord(photo.quality)), h("span", null, ago(photo.added))),
  );
}

/** @param {{likely: string | null}} wrong */
const doubt = ({ likely }) => (likely ? t("person.wrongLikely", { name: likely }) : t("person.wrong"));

/** @param {string} name @param {any} photo */
function large(name, photo) {
  const image = h("img.full", { src: photoAddress(name, photo.photo, { size: 1280 }), alt: name, width: photo.width, height: photo.height });
  const facts = [photo.width && `${photo.width} × ${photo.height}`, photo.quality !== null && t("measure.quality", { word: qualityWord(photo.quality), value: percent(photo.quality ?? 0) }), ago(photo.added)];
  openDialog(photo.photo, [image, h("p.quiet", null, facts.filter(Boolean).join(" · ")), photo.wrongPerson && h("p", null, doubt(photo.wrongPerson)), photo.reason && h("p", null, photo.reason)], { kind: "wide" });
}
