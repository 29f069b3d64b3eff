/** Questions in a dialog. */

import { button, h } from "../dom.js";
import { t } from "../strings.js";
import { nameField } from "./namefield.js";

/**
 * Opens a dialog; it is removed when it closes.
 * @param {string} title @param {any[]} content @param {{wide?: boolean, kind?: string}} [options]
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, content, { kind = "" } = {}) {
  const heading = h("h2", { id: `dialog-${Math.random().toString(36).slice(2)}` }, title);
  const close = button({ icon: "cross", label: t("close"), kind: "bare", click: () => dialog.close() });
  const dialog = h(`dialog.dialog${kind && `.${kind}`}`, { "aria-labelledby": heading.id }, h("header", null, heading, close), content);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (/** @type {Event} */ event) => {
    if (event.target === dialog) dialog.close();
  });
  // Whoever goes to another view leaves the dialog, too.
  addEventListener("hashchange", () => dialog.close(), { once: true });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Asks whether to do something; with `typed`, that word must be typed first.
 * @param {{title: string, text: string, action: string, danger?: boolean, typed?: string}} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, action, danger = true, typed }) {
  return new Promise((resolve) => {
    let answer = false;
    const field = typed && h("input", { type: "text", autocomplete: "off", spellcheck: "false", id: "typed" });
    const go = h(`button.button.${danger ? "danger" : "primary"}`, { type: "submit", disabled: Boolean(typed) }, action);
    const form = h(
      "form",
      { method: "dialog" },
      h("p", null, text),
      field && h("label", { for: "typed" }, t("dialog.type", { typed })),
      field,
      h("footer", null, button({ text: t("cancel"), click: () => dialog.close() }), go),
    );
    field?.addEventListener("input", () => {
      go.disabled = field.value.trim() !== typed;
    });
    form.addEventListener("submit", () => {
      answer = true;
    });
    const dialog = openDialog(title, [form], { kind: "small" });
    dialog.addEventListener("close", () => resolve(answer));
    (field || go).focus();
  });
}

/**
 * Asks for a person's name. Resolves to null if nobody was chosen.
 * @param {{title: string, action: string, value?: string, suggest?: boolean, face?: Element | null}} question
 * @returns {Promise<string | null>}
 */
export function askName({ title, action, value = "", suggest = true, face = null }) {
  return new Promise((resolve) => {
    /** @type {string | null} */
    let answer = null;
    const accept = (/** @type {string} */ name) => {
      answer = name;
      dialog.close();
    };
    const field = nameField({ value, suggest, accept });
    const form = h(
      "form",
      null,
      face && h("div.asked", null, face),
      field.element,
      h("footer", null, button({ text: t("cancel"), click: () => dialog.close() }), h("button.button.primary", { type: "submit" }, action)),
    );
    form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      if (field.value()) accept(field.value());
    });
    const dialog = openDialog(title, [form], { kind: "small" });
    dialog.addEventListener("close", () => resolve(answer));
    field.focus();
  });
}
