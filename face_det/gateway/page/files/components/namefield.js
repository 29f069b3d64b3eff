/** A field for a person's name, which offers those who are known already. */

import { h } from "../dom.js";
import { knownPeople } from "../people.js";
import { t } from "../strings.js";
import { personFace } from "./face.js";

const MOST = 6;
let count = 0;

/**
 * @param {{value?: string, suggest?: boolean, label?: string, accept?: (name: string) => any}} options
 *   `accept` is called when a known name is chosen
 * @returns {{element: HTMLElement, value: () => string, focus: () => void, clear: () => void}}
 */
export function nameField({ value = "", suggest = true, label = t("name.label"), accept }) {
  count += 1;
  const id = `name-${count}`;
  const list = h("ul.suggestions", { id: `${id}-list`, role: "listbox", "aria-label": t("name.known"), hidden: true });
  const input = h("input", {
    id,
    type: "text",
    value,
    autocomplete: "off",
    autocapitalize: "words",
    spellcheck: "false",
    maxlength: "80",
    placeholder: t("name.placeholder"),
    ...(suggest && { role: "combobox", "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list" }),
  });
  const element = h("div.field.name", null, h("label", { for: id }, label), input, suggest && list);
  let active = -1;

  const choose = (/** @type {string} */ name) => {
    input.value = name;
    close();
    accept?.(name);
  };
  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const mark = (/** @type {number} */ index) => {
    active = index;
    [...list.children].forEach((one, place) => one.setAttribute("aria-selected", String(place === index)));
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[index].id);
  };
  const open = async () => {
    const people = await knownPeople().catch(() => []);
    const typed = input.value.trim().toLocaleLowerCase();
    const fitting = people.filter((one) => one.name.toLocaleLowerCase().includes(typed) && one.name !== input.value);
    list.replaceChildren(...fitting.slice(0, MOST).map((person, index) => option(person, index)));
    list.hidden = !fitting.length || document.activeElement !== input;
    input.setAttribute("aria-expanded", String(!list.hidden));
    mark(-1);
  };
  const option = (/** @type {any} */ person, /** @type {number} */ index) => {
    const made = h("li", { id: `${id}-${index}`, role: "option", "aria-selected": "false" }, personFace(person, 64), h("span", null, person.name));
    // Before the field loses the focus.
    made.addEventListener("pointerdown", (/** @type {Event} */ event) => {
      event.preventDefault();
      choose(person.name);
    });
    return made;
  };

  if (suggest) {
    input.addEventListener("focus", open);
    input.addEventListener("input", open);
    input.addEventListener("blur", close);
    input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const names = list.children.length;
      if (event.key === "Escape" && !list.hidden) {
        event.preventDefault();
        event.stopPropagation();
        close();
      } else if (!list.hidden && names && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
        event.preventDefault();
        const step = event.key === "ArrowDown" ? active + 1 : Math.max(active, 0) - 1 + names;
        mark(step % names);
      } else if (event.key === "Enter" && active >= 0 && !list.hidden) {
        event.preventDefault();
        choose(list.children[active].lastElementChild?.textContent ?? "");
      }
    });
  }
  return {
    element,
    value: () => input.value.trim(),
    focus: () => input.focus(),
    clear: () => {
      input.value = "";
      close();
    },
  };
}
