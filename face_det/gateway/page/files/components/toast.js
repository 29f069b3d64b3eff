/** Short messages at the edge, with "Undo" where something can be undone. */

import { ApiError, isAbort, post } from "../api.js";
import { button, h, icon } from "../dom.js";
import { detail, sentence } from "../problems.js";
import { refreshList } from "../router.js";
import { t } from "../strings.js";

const SHOWN_MS = 9000;
const MOST = 3;

/**
 * @param {string} text
 * @param {{undo?: () => any, warn?: boolean, more?: HTMLElement | null}} [options]
 */
export function toast(text, { undo, warn, more } = {}) {
  const region = /** @type {HTMLElement} */ (document.getElementById("toasts"));
  /** @type {any} */
  let timer;
  const close = () => {
    clearTimeout(timer);
    made.remove();
  };
  const run = async () => {
    close();
    await undo?.();
  };
  const made = h(
    `div.toast${warn ? ".warn" : ""}`,
    { role: warn ? "alert" : null },
    icon(warn ? "warn" : "check"),
    h("p", null, text, more),
    undo && button({ icon: "undo", text: t("undo"), kind: "bare", click: run }),
    button({ icon: "cross", label: t("close"), kind: "bare", click: close }),
  );
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(close, SHOWN_MS);
  };
  // Nobody has to hurry: the message stays while it is pointed at or focused.
  made.addEventListener("pointerenter", () => clearTimeout(timer));
  made.addEventListener("pointerleave", wait);
  made.addEventListener("focusin", () => clearTimeout(timer));
  made.addEventListener("focusout", wait);
  region.append(made);
  while (region.children.length > MOST) region.firstElementChild?.remove();
  wait();
}

/** Tells of something that went wrong. @param {unknown} error */
export function fail(error) {
  if (isAbort(error)) return;
  if (!(error instanceof ApiError)) console.error(error);
  if (error instanceof ApiError && error.status === 503) return;
  toast(sentence(error), { warn: true, more: detail(error) });
}

/**
 * Tells of changes that were made, and offers to undo them, the last one first.
 * @param {string} text @param {(string | number)[]} changes @param {() => any} [after] what to do when they are undone
 */
export function changed(text, changes, after) {
  const undo = async () => {
    try {
      for (const change of [...changes].reverse()) await post(`changes/${encodeURIComponent(change)}/undo`);
      toast(t("undone"));
    } catch (error) {
      fail(error);
    }
    try {
      await after?.();
    } catch (error) {
      if (!isAbort(error)) throw error;
      // The view that it was done in has been left.
      await refreshList();
    }
  };
  toast(text, changes.length ? { undo } : {});
}
