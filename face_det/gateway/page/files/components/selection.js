/** Choosing many at once: by box, Shift-click, Ctrl-A and Esc; with a bar of what can be done. */

import { button, fill, h, say } from "../dom.js";
import { tn, t } from "../strings.js";

/**
 * @typedef {{key: any, node: HTMLElement, box: HTMLInputElement}} Item
 * @param {{signal: AbortSignal, actions: (keys: any[]) => any[]}} options
 */
export function createSelection({ signal, actions }) {
  const bar = h("div.selected", { role: "toolbar", "aria-label": t("selection.label"), hidden: true });
  /** @type {Item[]} */
  let items = [];
  /** @type {Set<any>} */
  const chosen = new Set();
  let anchor = -1;

  const draw = () => {
    for (const { key, node, box } of items) {
      box.checked = chosen.has(key);
      node.classList.toggle("chosen", box.checked);
    }
    bar.hidden = chosen.size === 0;
    document.body.classList.toggle("choosing", chosen.size > 0);
    if (chosen.size) {
      fill(
        bar,
        h("strong", null, tn("selection.count", chosen.size)),
        h("div.row", null, actions([...chosen]), button({ icon: "cross", label: t("selection.clear"), kind: "bare", click: clear })),
      );
    }
  };
  const clear = () => {
    chosen.clear();
    anchor = -1;
    draw();
  };
  const toggle = (/** @type {number} */ index, range = false) => {
    const on = !chosen.has(items[index].key);
    const [from, to] = range && anchor >= 0 ? [Math.min(anchor, index), Math.max(anchor, index)] : [index, index];
    for (const { key } of items.slice(from, to + 1)) {
      if (on) chosen.add(key);
      else chosen.delete(key);
    }
    anchor = index;
    draw();
    say(tn("selection.count", chosen.size));
  };

  addEventListener(
    "keydown",
    (event) => {
      const typing = event.target instanceof Element && event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
      if (typing || document.querySelector("dialog[open]")) return;
      if (event.key === "a" && (event.ctrlKey || event.metaKey) && items.length) {
        event.preventDefault();
        for (const { key } of items) chosen.add(key);
        draw();
        say(tn("selection.count", chosen.size));
      } else if (event.key === "Escape" && chosen.size) clear();
    },
    { signal },
  );
  signal.addEventListener("abort", () => document.body.classList.remove("choosing"), { once: true });

  return {
    bar,
    clear,
    toggle,
    any: () => chosen.size > 0,
    keys: () => [...chosen],
    /** Says what can be chosen from now on; what is still there stays chosen. @param {Item[]} list */
    items(list) {
      items = list;
      const keys = new Set(items.map((one) => one.key));
      for (const key of chosen) if (!keys.has(key)) chosen.delete(key);
      items.forEach(({ node, box }, index) => {
        box.addEventListener("click", (event) => {
          event.stopPropagation();
          // `draw` sets the box.
          toggle(index, event.shiftKey);
        });
        node.addEventListener("click", (event) => {
          if (!event.shiftKey || event.target === box) return;
          event.preventDefault();
          toggle(index, true);
        });
      });
      draw();
    },
  };
}
