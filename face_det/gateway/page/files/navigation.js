/** The navigation: at the side on a desk, at the bottom on a phone. */

import { logOut } from "./api.js";
import { fail } from "./components/toast.js";
import { button, fill, h, icon } from "./dom.js";
import { currentLanguage, LANGUAGES, remember, remembered, t } from "./strings.js";

const THEMES = ["auto", "light", "dark"];

/** Puts words into the document's navigation. @param {() => any} restart draws everything anew, in another language */
export function drawNavigation(restart) {
  const header = /** @type {HTMLElement} */ (document.getElementById("nav"));
  header.querySelector(".brand")?.setAttribute("aria-label", t("home"));
  header.querySelector("nav")?.setAttribute("aria-label", t("nav.label"));
  for (const link of header.querySelectorAll("nav a")) {
    const name = /** @type {string} */ (link.getAttribute("href")).slice("#/".length);
    fill(/** @type {HTMLElement} */ (link.querySelector("span")), t(`nav.${name}`));
  }
  header.querySelector(".preferences")?.remove();
  header.append(preferences("side", restart));
}

/**
 * The choices of theme and language, and the way out.
 * @param {string} kind @param {() => any} restart
 */
export function preferences(kind, restart = () => location.reload()) {
  const theme = select("theme", t("theme.label"), THEMES.map((one) => [one, t(`theme.${one}`)]), remembered("theme") ?? "auto", (value) => {
    remember("theme", value === "auto" ? null : value);
    if (value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
  });
  const language = select("language", t("language.label"), Object.entries(LANGUAGES), currentLanguage(), (value) => {
    remember("language", value);
    document.documentElement.lang = value;
    restart();
  });
  // Shown while somebody is logged in.
  const leave = button({ icon: "leave", text: t("logout"), kind: "log-out", click: () => logOut().catch(fail) });
  return h(`div.preferences.${kind}`, null, theme, language, leave);
}

/** @param {string} name @param {string} label @param {any[]} options @param {string} value @param {(value: string) => any} change */
function select(name, label, options, value, change) {
  const made = h("select", { "aria-label": label }, options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
  made.addEventListener("change", () => change(made.value));
  return h("div.select", null, icon(name === "theme" ? "sun" : "globe"), made);
}
