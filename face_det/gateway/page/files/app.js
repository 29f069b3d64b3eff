/** Begins: words, theme, session, navigation; then the view of the address. */

import { ApiError, connection, isAbort, loadSession } from "./api.js";
import { fail } from "./components/toast.js";
import { fill, h, icon } from "./dom.js";
import { drawNavigation } from "./navigation.js";
import { knownPeople } from "./people.js";
import { prepare, refresh, start } from "./router.js";
import { loadStrings, t } from "./strings.js";

/** @type {Record<string, import("./router.js").Route>} */
const ROUTES = {
  start: { title: "nav.start", nav: "live", load: () => import("./views/start.js") },
  live: { title: "nav.live", askWhose: true, load: () => import("./views/live.js") },
  people: { title: "nav.people", lists: true, askWhose: true, load: () => import("./views/people.js") },
  person: { title: "nav.people", lists: true, nav: "people", load: () => import("./views/person.js") },
  review: { title: "nav.review", lists: true, askWhose: true, load: () => import("./views/review.js") },
  unknown: { title: "unknown.title", lists: true, nav: "review", askWhose: true, load: () => import("./views/unknown.js") },
  why: { title: "why.title", nav: "review", load: () => import("./views/why.js") },
  tune: { title: "nav.tune", askWhose: true, load: () => import("./views/tune.js") },
  health: { title: "nav.health", askWhose: true, load: () => import("./views/health.js") },
  changes: { title: "changes.title", lists: true, nav: "health", askWhose: true, load: () => import("./views/changes.js") },
  login: { title: "login.title", load: () => import("./views/login.js") },
};

async function begin() {
  await loadStrings();
  /** @type {HTMLElement} */ (document.getElementById("skip")).textContent = t("skip");
  /** @type {HTMLElement} */ (document.getElementById("toasts")).setAttribute("aria-label", t("messages"));
  drawNavigation(begin);
  watchConnection();
  const session = await loadSession().catch(() => ({ required: false }));
  if (session.required && !session.authenticated) logIn();
  await start(async () => ((await knownPeople()).length ? "live" : "start"));
}

/** Shows the view to log in, and remembers where to go then. */
function logIn() {
  if (location.hash.startsWith("#/login")) return;
  const wanted = location.hash.replace(/^#\/?/, "");
  location.hash = `#/login?then=${encodeURIComponent(wanted)}`;
}

let watched = false;
function watchConnection() {
  if (watched) return;
  watched = true;
  const banner = /** @type {HTMLElement} */ (document.getElementById("banner"));
  connection.addEventListener("down", () => {
    banner.hidden = false;
    fill(banner, icon("warn"), h("p", null, t("error.down")));
  });
  connection.addEventListener("up", async () => {
    banner.hidden = true;
    const session = await loadSession().catch(() => ({ required: false }));
    if (session.required && !session.authenticated) logIn();
    else refresh();
  });
  connection.addEventListener("login", logIn);
}

// Else the browser opens a file in place of the page, wherever it is dropped.
for (const type of ["dragover", "drop"]) {
  addEventListener(type, (event) => {
    if (/** @type {DragEvent} */ (event).dataTransfer?.types.includes("Files")) event.preventDefault();
  });
}

// What a view asks for once more may fail, or be given up because the view was left.
addEventListener("unhandledrejection", (event) => {
  if (!(event.reason instanceof ApiError) && !isAbort(event.reason)) return;
  event.preventDefault();
  fail(event.reason);
});

prepare(ROUTES);
begin();
