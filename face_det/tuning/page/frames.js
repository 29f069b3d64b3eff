/** Steps through recorded frames: the picture with the answers of now, what was stored, and what to try. */

import { address, connection, get, isAbort, post } from "./api.js";
import { nameField } from "./components/namefield.js";
import { empty, notice } from "./components/notice.js";
import { createStage } from "./components/stage.js";
import { fail, toast } from "./components/toast.js";
import { describe, measures } from "./describe.js";
import { button, fill, h, icon, say } from "./dom.js";
import { parameterForm } from "./parameters.js";
import { forgetPeople } from "./people.js";
import { inEnglish } from "./problems.js";
import { loadStrings, number, percent, t, tn } from "./strings.js";

const NEXT = ["ArrowRight", "ArrowUp", " "];
const BACK = ["ArrowLeft", "ArrowDown"];
const SAVES = { s: "picture", o: "objects", p: "voc" };

/** @type {any} the frame that is shown */
let frame = null;
let picked = 0;
/** @type {Record<string, string>} */
let parameters = {};
/** @type {AbortController | null} */
let asking = null;
/** @type {any} */
let parts;

async function begin() {
  await loadStrings("frames");
  /** @type {HTMLElement} */ (document.getElementById("toasts")).setAttribute("aria-label", t("messages"));
  watchConnection();
  const main = /** @type {HTMLElement} */ (document.getElementById("main"));
  try {
    const info = await get("frames");
    parameters = info.parameters;
    /** @type {HTMLElement} */ (document.getElementById("place")).textContent = info.place;
    if (!info.count) return fill(main, empty("photo", t("frames.none"), t("frames.noneText")));
    parts = build(main, info);
    addEventListener("keydown", onKey);
    await show(Math.max(0, Number(location.hash.slice(1)) - 1 || 0), 1);
  } catch (error) {
    fail(error);
  }
}

function watchConnection() {
  const banner = /** @type {HTMLElement} */ (document.getElementById("banner"));
  connection.addEventListener("down", () => {
    banner.hidden = false;
    fill(banner, icon("warn"), h("p", null, t("frames.stopped")));
  });
  connection.addEventListener("up", () => {
    banner.hidden = true;
  });
}

/** @param {HTMLElement} main @param {any} info */
function build(main, info) {
  const stage = createStage({ label: t("frames.picture"), pick: choose });
  const title = h("h1");
  const path = h("p.quiet.path");
  const list = h("ul.answers");
  const name = nameField({ label: t("frames.thisIs") });
  const save = Object.entries(SAVES).map(([key, what]) =>
    button({ text: t(`frames.save.${what}`), title: key.toUpperCase(), "aria-keyshortcuts": key, click: () => store(what) }),
  );
  const turns = h("div.turns", null,
    button({ icon: "back", text: t("frames.back"), "aria-keyshortcuts": "ArrowLeft", click: () => turn(-1) }),
    button({ icon: "next", text: t("frames.next"), kind: "primary", "aria-keyshortcuts": "ArrowRight", click: () => turn(1) }));
  const form = parameterForm(info, async (values) => {
    parameters = values;
    await show(frame?.index ?? 0, 1);
  });
  const who = h("form.row.bottom", { on: { submit: (/** @type {Event} */ event) => { event.preventDefault(); enrol(); } } },
    name.element, h("button.button", { type: "submit" }, t("frames.enrol")));
  fill(main,
    h("div.live", null,
      h("div.screen", null, h("div.head", null, h("div", null, title, path)), stage.element, turns),
      h("div.panel", null,
        h("section.card.stack", { "aria-label": t("frames.answers") }, h("h2", null, t("frames.answers")), list, who),
        h("section.card.stack", { "aria-label": t("frames.try") }, h("h2", null, t("frames.try")), form),
        h("section.card.stack", { "aria-label": t("frames.save") }, h("h2", null, t("frames.save")), h("div.saves", null, save)),
        h("p.quiet.keys", null, h("kbd", null, "←"), " ", h("kbd", null, "→"), ` ${t("frames.keys.turn")} `, h("kbd", null, "S"), " ", h("kbd", null, "O"), " ", h("kbd", null, "P"), ` ${t("frames.keys.save")} `, h("kbd", null, "N"), ` ${t("frames.keys.name")}`))));
  return { stage, title, path, list, name, who };
}

/** Shows the frame at a place or, where its picture is gone, the next one in that direction. @param {number} index @param {number} step */
async function show(index, step) {
  asking?.abort();
  const mine = (asking = new AbortController());
  document.body.setAttribute("aria-busy", "true");
  try {
    const found = await get(`frames/${index}`, { ...parameters, step }, mine.signal);
    if (found.skipped) toast(tn("frames.gone", found.skipped));
    if (found.index === null) return toast(t(step < 0 ? "frames.first" : "frames.last"));
    frame = found;
    history.replaceState(null, "", `#${found.index + 1}`);
    await draw(mine.signal);
  } catch (error) {
    if (!isAbort(error)) fail(error);
  } finally {
    if (asking === mine) document.body.removeAttribute("aria-busy");
  }
}

const turn = (/** @type {number} */ step) => {
  if (!frame) return show(0, 1);
  const to = frame.index + step;
  if (to < 0) return toast(t("frames.first"));
  return show(to, step);
};

/** @param {AbortSignal} signal */
async function draw(signal) {
  picked = 0;
  const { stage, title, path, who } = parts;
  title.textContent = t("frames.at", { n: number(frame.index + 1), count: number(frame.count) });
  path.textContent = frame.image;
  who.hidden = !frame.labels.length;
  parts.name.clear();
  if (frame.problem) {
    stage.show(h("span"));
    stage.say(notice("warn", t("problem.BadImage"), inEnglish(frame.problem)));
  } else {
    const picture = h("img", { src: address(`frames/${frame.index}/picture`), alt: "" });
    await picture.decode().catch(() => null);
    if (signal.aborted) return;
    stage.say();
    stage.shape(frame.size.width, frame.size.height);
    stage.show(picture);
  }
  redraw();
  say(`${title.textContent}. ${frame.labels.map(inWords).join(". ")}`);
}

/** @param {any} label */
const storedName = (label) => label.stored?.face ?? t("frames.nobody");
/** @param {any} label */
const note = (label) => (label.differs ? t("frames.stored", { name: storedName(label) }) : "");
/** @param {any} label */
const inWords = (label) => [describe(label).title, note(label)].filter(Boolean).join(", ");

function redraw() {
  const shown = frame.labels.map((/** @type {any} */ label) => ({ ...label, note: note(label) }));
  if (frame.size) {
    // A label without any box, or one outside the picture, stands in the list only.
    const boxed = shown.filter((/** @type {any} */ one) => one.faceBox.xmax > 0 && one.faceBox.xmin < frame.size.width);
    if (boxed.length === shown.length) parts.stage.faces(shown, frame.size.width, frame.size.height, picked);
    else parts.stage.faces(boxed, frame.size.width, frame.size.height);
  }
  fill(parts.list, shown.map(row));
  if (!shown.length && !frame.problem) fill(parts.list, h("li.quiet", null, t("frames.nobodyHere")));
}

/** @param {any} label @param {number} index */
function row(label, index) {
  const { title, why, tone, proba } = describe(label);
  const sure = tone === "known" && proba !== undefined ? ` ${percent(proba)}` : "";
  const more = [why, measures(label)].filter(Boolean).join(" · ");
  const before = label.differs ? h("span.differs", null, note(label)) : label.stored?.judged ? h("span.quiet", null, t("frames.same")) : null;
  return h("li", null,
    h("button.frame-answer", { type: "button", "aria-pressed": String(index === picked), on: { click: () => choose(index) } },
      h("strong", null, title + sure), more && h("span.quiet", null, more), before));
}

/** @param {number} index */
function choose(index) {
  picked = index;
  redraw();
}

/** @param {string} what */
async function store(what) {
  if (!frame || frame.problem) return;
  try {
    const { files } = await post(`frames/${frame.index}/save`, { what, parameters });
    toast(tn("frames.saved", files.length), { more: inEnglish(files.join(", ")) });
  } catch (error) {
    fail(error);
  }
}

async function enrol() {
  const name = parts.name.value().trim();
  if (!name || !frame?.labels.length) return parts.name.focus();
  document.body.setAttribute("aria-busy", "true");
  try {
    const learnt = await post(`frames/${frame.index}/enrol`, { label: picked, name, parameters });
    forgetPeople();
    toast(tn("frames.enrolled", learnt.images, { name: learnt.name }));
    await show(frame.index, 1);
  } catch (error) {
    fail(error);
  } finally {
    document.body.removeAttribute("aria-busy");
  }
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.altKey || event.metaKey || target.closest("input, select, textarea")) return;
  // A button that has the focus is pressed by the space bar.
  if (event.key === " " && target.closest("button, a")) return;
  const key = event.key.toLowerCase();
  if (NEXT.includes(event.key)) turn(1);
  else if (BACK.includes(event.key)) turn(-1);
  else if (key in SAVES) store(SAVES[/** @type {"s" | "o" | "p"} */ (key)]);
  else if (key === "n") parts.name.focus();
  else return;
  event.preventDefault();
}

begin();
