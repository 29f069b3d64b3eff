/** Says in the reader's language what went wrong, with the API's own English as the detail. */

import { ApiError } from "./api.js";
import { h } from "./dom.js";
import { has, t } from "./strings.js";

/** What happened, in one sentence. @param {unknown} error @returns {string} */
export function sentence(error) {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.missing) return t("error.missing");
  if (error.code === "Unreachable") return error.message;
  return has(`problem.${error.code}`) ? t(`problem.${error.code}`) : t("problem.other");
}

/** What the API says of it: always in English, and more exact. @param {unknown} error @returns {HTMLElement | null} */
export function detail(error) {
  const exact = error instanceof ApiError && !error.missing && error.code !== "Unreachable";
  return exact && error.message ? inEnglish(error.message) : null;
}

/** What the daemon says, always in English. @param {string} text @returns {HTMLElement} */
export const inEnglish = (text) => h("span.detail", { lang: "en" }, text);
