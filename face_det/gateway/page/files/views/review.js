/** Review: who was seen, by visit, and what the user says about it; unknown people as groups. */

import { get, isAbort } from "../api.js";
import { empty, skeletons } from "../components/notice.js";
import { createSelection } from "../components/selection.js";
import { act, KEYS, openSighting, sightingCard } from "../components/sighting.js";
import { fail } from "../components/toast.js";
import { button, fill, h, icon } from "../dom.js";
import { describe } from "../describe.js";
import { listen } from "../events.js";
import { knownPeople } from "../people.js";
import { replace } from "../router.js";
import { t, tn, when } from "../strings.js";
import { createHeard } from "../components/heard.js";
import { showGroups } from "./groups.js";

/** @typedef {import("../corrections.js").Sighting} Sighting */

const PAGE = 60;
const OUTCOMES = ["", "known", "uncertain", "unknown"];

/** @param {import("../router.js").Place} place */
export async function show(place) {
  const { root, query, signal } = place;
  const groups = query.has("unknown");
  const tab = (/** @type {string} */ path, /** @type {string} */ text, /** @type {boolean} */ here) => h("a", { href: path, "aria-current": here ? "true" : null }, text);
  const head = h(
    "header.head",
    null,
    h("div", null, h("h1", null, t("nav.review"))),
    h("nav.tabs", { "aria-label": t("review.what") }, tab("#/review", t("review.faces"), !groups), tab("#/review?unknown", t("review.unknowns"), groups)),
  );
  const body = h("div.stack", null, skeletons("sightings", 12));
  fill(root, head, body);
  if (groups) return showGroups(body, signal);
  return showFaces(body, query, signal);
}

/** @param {HTMLElement} body @param {URLSearchParams} query @param {AbortSignal} signal */
async function showFaces(body, query, signal) {
  const filters = { outcome: query.get("outcome") ?? "", name: query.get("name") ?? "", camera: query.get("camera") ?? "" };
  const list = h("div.visits");
  const fresh = button({ icon: "next", text: t("review.fresh"), kind: "pill", hidden: true, click: () => draw() });
  const more = h("div.row.centred", { hidden: true }, button({ text: t("review.more"), click: () => load() }));
  /** @type {Sighting[]} */
  let items = [];
  /** @type {string | null} */
  let cursor = null;
  const selection = createSelection({
    signal,
    actions: (ids) => {
      const run = (/** @type {string} */ action) => () => act(action, items.filter((one) => ids.includes(one.id)), () => done());
      return [
        button({ icon: "check", text: t("review.yes"), click: run("confirm") }),
        button({ icon: "cross", text: t("review.notThem"), click: run("notMe") }),
        button({ icon: "edit", text: t("review.correct"), click: run("correct") }),
        button({ icon: "plus", text: t("review.somebody"), click: run("somebody") }),
        button({ icon: "ignore", label: t("review.ignore"), click: run("ignore") }),
      ];
    },
  });
  const done = async () => {
    selection.clear();
    await draw();
  };
  const show = () => {
    const focused = document.activeElement?.closest("[data-sighting]")?.getAttribute("data-sighting");
    const visits = groupByVisit(items);
    // Two cameras may see somebody by turns; the keys go on to what is shown next.
    items = visits.flat();
    const cards = items.map((one, index) => sightingCard(one, draw, () => openSighting(items, index, draw)));
    selection.items(cards);
    let at = 0;
    fill(
      list,
      items.length === 0 && empty("review", filters.outcome || filters.name || filters.camera ? t("review.noneSuch") : t("review.none"), t("review.noneHow")),
      visits.map((visit) => {
        const first = visit[visit.length - 1];
        return h(
          "section.visit",
          null,
          h("h2", null, h("time", { datetime: new Date(first.time * 1000).toISOString() }, when(visit[0].time)), h("span.quiet", null, [first.camera ?? t("review.noCamera"), whoIn(visit)].filter(Boolean).join(" · "))),
          h("ul.sightings", null, visit.map(() => cards[at++].node)),
        );
      }),
    );
    more.hidden = !cursor;
    if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`[data-sighting="${focused}"] .bare-card`))?.focus();
  };
  const load = async () => {
    const page = await get("sightings", { ...filters, limit: PAGE, cursor }, signal);
    items = [...items, ...page.items];
    cursor = page.next;
    show();
  };
  const heard = createHeard(filters, signal);
  /** Reads as much again as is shown. */
  const draw = async () => {
    fresh.hidden = true;
    try {
      await heard.draw();
      const page = await get("sightings", { ...filters, limit: Math.min(500, Math.max(PAGE, items.length)) }, signal);
      items = page.items;
      cursor = page.next;
      show();
    } catch (error) {
      if (isAbort(error)) throw error;
      if (!signal.aborted) fail(error);
    }
  };
  await Promise.all([load(), heard.draw()]);
  fill(body, await filterRow(filters, items, signal), fresh, heard.element, list, more, legend(), selection.bar);
  addKeys(list, () => items, selection, done, signal);
  listen((type) => {
    if (type === "heard") return heard.draw().catch(() => {});
    if (type !== "seen" && type !== "poll" && type !== "visit_began") return;
    if (type !== "poll" && items.length) fresh.hidden = false;
    else if (!items.length) draw();
  }, signal);
}

/** @param {any} filters @param {Sighting[]} items @param {AbortSignal} signal */
async function filterRow(filters, items, signal) {
  const people = await knownPeople().catch(() => []);
  const cameras = [...new Set([...items.map((one) => one.camera), filters.camera].filter(Boolean))];
  const status = await get("status", {}, signal).catch(() => null);
  for (const name of status?.gateway?.cameras ?? []) if (!cameras.includes(name)) cameras.push(name);
  const choose = (/** @type {string} */ key, /** @type {string} */ value) => {
    const next = new URLSearchParams(Object.entries({ ...filters, [key]: value }).filter(([, one]) => one));
    replace(`review${next.size ? `?${next}` : ""}`);
  };
  const select = (/** @type {string} */ key, /** @type {string} */ all, /** @type {any[]} */ names) => {
    const made = h("select", { "aria-label": all }, h("option", { value: "" }, all), names.map((name) => h("option", { value: name, selected: filters[key] === name }, name)));
    made.addEventListener("change", () => choose(key, made.value));
    return h("div.select", null, icon(key === "camera" ? "camera" : "people"), made);
  };
  return h(
    "div.row.filters",
    null,
    h("div.segments", { role: "group", "aria-label": t("review.which") }, OUTCOMES.map((one) => button({ text: t(`review.outcome.${one || "all"}`), kind: "segment", "aria-pressed": String(filters.outcome === one), click: () => void choose("outcome", one) }))),
    select("name", t("review.everybody"), people.map((one) => one.name)),
    cameras.length > 0 && select("camera", t("review.everywhere"), cameras),
  );
}

/** Groups sightings by visit, the latest visit first. @param {Sighting[]} items newest first @returns {Sighting[][]} */
function groupByVisit(items) {
  /** @type {Map<number, Sighting[]>} */
  const visits = new Map();
  for (const one of items) {
    const visit = visits.get(one.visit);
    if (visit) visit.push(one);
    else visits.set(one.visit, [one]);
  }
  return [...visits.values()];
}

/** @param {Sighting[]} visit */
function whoIn(visit) {
  const names = [...new Set(visit.filter((one) => one.face).map((one) => describe(one).title))];
  return names.length ? names.join(", ") : tn("review.facesCount", visit.length);
}

const legend = () =>
  h("p.keys", null, Object.entries(KEYS).map(([key, action]) => h("span", null, h("kbd", null, key.toUpperCase()), t(`keys.${action}`))), h("span", null, h("kbd", null, "Ctrl A"), t("keys.all")), h("span", null, h("kbd", null, "Esc"), t("keys.none")));

/** @param {HTMLElement} list @param {() => Sighting[]} items @param {any} selection @param {() => any} after @param {AbortSignal} signal */
function addKeys(list, items, selection, after, signal) {
  const openers = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".bare-card")]);
  const move = (/** @type {number} */ step) => {
    const all = openers();
    const here = all.findIndex((one) => one.closest("li")?.contains(document.activeElement));
    const next = all[Math.max(0, Math.min(all.length - 1, here < 0 ? 0 : here + step))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (event.target instanceof Element && event.target.closest("input:not([type=checkbox]), select, textarea")) return;
      const here = document.activeElement?.closest("[data-sighting]");
      const id = Number(here?.getAttribute("data-sighting"));
      const index = items().findIndex((one) => one.id === id);
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
        event.preventDefault();
        move(event.key === "ArrowRight" ? 1 : -1);
      } else if (event.key === "x" && index >= 0) selection.toggle(index, event.shiftKey);
      else if (event.key in KEYS) {
        const keys = selection.keys();
        const meant = keys.length ? items().filter((one) => keys.includes(one.id)) : items().slice(index, index + 1);
        if ((index < 0 && !keys.length) || !meant.length) return;
        event.preventDefault();
        act(KEYS[/** @type {keyof typeof KEYS} */ (event.key)], meant, after);
      }
    },
    { signal },
  );
}
