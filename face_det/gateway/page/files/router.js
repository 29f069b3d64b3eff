/** Shows the view that belongs to the address after the #. */

import { h, fill } from "./dom.js";
import { isAbort, ApiError } from "./api.js";
import { notice } from "./components/notice.js";
import { detail, sentence } from "./problems.js";
import { t } from "./strings.js";

/**
 * @typedef {{root: HTMLElement, parts: string[], query: URLSearchParams, signal: AbortSignal}} Place
 * `askWhose`: photos that are dropped onto the view are somebody's. `lists`: it shows what changes may touch.
 * @typedef {{title: string, nav?: string, askWhose?: boolean, lists?: boolean, load: () => Promise<{show: (place: Place) => any}>}} Route
 */

/** @type {Record<string, Route>} */
let routes = {};
let leave = new AbortController();
let home = async () => "live";

/** Asks for the first view's script before there are words to draw it with. @param {Record<string, Route>} table */
export function prepare(table) {
  routes = table;
  routes[place().parts[0]]?.load().catch(() => null);
}

/** @param {() => Promise<string>} chooseHome */
export function start(chooseHome) {
  home = chooseHome;
  removeEventListener("hashchange", moved);
  addEventListener("hashchange", moved);
  return show(false);
}

const moved = () => show(true);

/** @param {string} path such as "people/Anna" */
export function go(path) {
  if (location.hash === `#/${path}`) show(false);
  else location.hash = `#/${path}`;
}

/** @param {string} path */
export function replace(path) {
  history.replaceState(null, "", `#/${path}`);
  return show(false);
}

/** Shows the present view anew. */
export const refresh = () => show(false);

/** Shows the present view anew if it is a list; no camera and no form is interrupted. */
export async function refreshList() {
  if (routes[place().parts[0]]?.lists) await refresh();
}

/** @param {boolean} travelled whether the reader went somewhere, and the focus goes along */
async function show(travelled) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const { parts, query } = place();
  const name = parts[0] ?? (await home().catch(() => "live"));
  if (signal.aborted) return;
  const route = routes[name] ?? routes.live;
  const main = /** @type {HTMLElement} */ (document.getElementById("main"));
  // The document's skeleton stays until the first view is drawn.
  const skeleton = main.querySelectorAll(".view:not([data-view]) > *");
  const root = h("div.view", { "data-view": name }, [...skeleton]);
  document.title = `${t(route.title)} · face_det`;
  for (const link of document.querySelectorAll("#nav a")) {
    const here = link.getAttribute("href") === `#/${route.nav ?? name}`;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  fill(main, root);
  if (travelled) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  try {
    const [view, whose] = await Promise.all([route.load(), route.askWhose ? import("./components/whose.js") : null]);
    if (!signal.aborted) whose?.askWhose(root, signal);
    if (!signal.aborted) await view.show({ root, parts: parts.slice(1), query, signal });
  } catch (error) {
    if (isAbort(error) || signal.aborted) return;
    if (!(error instanceof ApiError)) console.error(error);
    fill(root, problem(error, t(route.title)));
  }
}

/** @param {unknown} error @param {string} title */
export function problem(error, title) {
  const heading = h("h1", null, title);
  if (error instanceof ApiError && error.missing) return [heading, notice("help", sentence(error))];
  if (error instanceof ApiError && error.code === "SightingsOff") return [heading, sightingsOff()];
  if (error instanceof ApiError && error.status === 503) return [heading, notice("warn", t("error.waiting"))];
  return [heading, notice("warn", sentence(error), detail(error))];
}

export const sightingsOff = () =>
  notice("help", t("review.off"), t("review.offHow"), h("pre", null, h("code", null, '"sightings": {}')), t("review.offFile"), h("pre", null, h("code", null, '{"faceDetServer": {"sightings": {}}}')));

/** What the address asks for. */
function place() {
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(search) };
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
