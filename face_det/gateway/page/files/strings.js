/** The page's words, in the language of the browser or the one that was chosen: before-paint.js decides. */

/** @type {Record<string, string>} */
export const LANGUAGES = { en: "English", de: "Deutsch" };

/** @type {Record<string, string>} */
let words = {};
let language = "en";
/** How the reader writes numbers and times: the language, as it is used in a country. */
let locale = "en";

/** @param {string} key */
export function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string | null} value */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
}

/** Loads the words of the document's language. @param {string[]} more pages that have words of their own */
export async function loadStrings(...more) {
  language = document.documentElement.lang;
  const names = [language, ...more.map((page) => `${page}-${language}`)];
  const load = async (/** @type {string} */ name) => (await fetch(new URL(`strings/${name}.json`, import.meta.url))).json();
  words = Object.assign({}, ...(await Promise.all(names.map(load))));
  locale = navigator.languages?.find((one) => one.startsWith(language)) ?? language;
}

export const currentLanguage = () => language;

/**
 * Returns the words for a key, with {values} put in.
 * @param {string} key @param {Record<string, any>} [values]
 */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * Returns the words for a number of things: `key.one` or `key.other`, with {n}.
 * @param {string} key @param {number} n @param {Record<string, any>} [values]
 */
export function tn(key, n, values = {}) {
  const form = new Intl.PluralRules(language).select(n) === "one" ? "one" : "other";
  return t(`${key}.${form}`, { n: number(n), ...values });
}

/** @param {string} key */
export const has = (key) => key in words;

/** @param {number} value @param {Intl.NumberFormatOptions} [options] */
export const number = (value, options) => new Intl.NumberFormat(locale, options).format(value);

/** A share of what was counted. @param {number} value from 0 to 1 */
export const share = (value) => number(value, { style: "percent", maximumFractionDigits: 1 });

/** A probability, which is never quite 1. @param {number} value from 0 to 1 */
export const percent = (value) =>
  number(Math.min(value, 0.999), { style: "percent", maximumFractionDigits: value >= 0.995 ? 1 : 0 });

/** @param {number} seconds since 1970 */
export function when(seconds) {
  const date = new Date(seconds * 1000);
  const age = (Date.now() - date.getTime()) / 1000;
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  if (age < 45 && age > -5) return t("time.now");
  if (age < 3600) return relative.format(-Math.round(age / 60), "minute");
  const today = date.toDateString() === new Date().toDateString();
  const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }).format(date);
  if (today) return clock;
  const day = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short" }).format(date);
  return `${day}, ${clock}`;
}

/** @param {number} seconds */
export function duration(seconds) {
  const units = /** @type {[number, string][]} */ ([[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]]);
  const [size, unit] = units.find(([one]) => seconds >= one) ?? [1, "second"];
  return number(Math.round(seconds / size), { style: "unit", unit, unitDisplay: "long" });
}

/** How old something is, such as "3 days ago". @param {number} seconds since 1970 */
export function ago(seconds) {
  const age = Date.now() / 1000 - seconds;
  return age > 86400 * 1.5
    ? new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-Math.round(age / 86400), "day")
    : when(seconds);
}
