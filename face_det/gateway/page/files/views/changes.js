/** What was changed lately; each change can be undone. */

import { get, part, post } from "../api.js";
import { empty, skeletons } from "../components/notice.js";
import { fail, toast } from "../components/toast.js";
import { button, fill, h, icon } from "../dom.js";
import { forgetPeople } from "../people.js";
import { t, when } from "../strings.js";

const MOST = 100;

/** @param {import("../router.js").Place} place */
export async function show({ root, signal }) {
  const list = h("div", null, skeletons("lines", 6));
  fill(root, h("header.head", null, h("div", null, h("a.up", { href: "#/health" }, icon("back"), t("nav.health")), h("h1", null, t("changes.title")), h("p.lead", null, t("changes.lead")))), list);
  const draw = async () => {
    const { changes } = await get("changes", { limit: MOST }, signal);
    fill(list, changes.length ? h("ul.lines.card", null, changes.map(line)) : empty("history", t("changes.none"), ""));
  };
  const line = (/** @type {any} */ one) => {
    const undo = async () => {
      try {
        await post(`changes/${part(String(one.change))}/undo`);
        forgetPeople();
        toast(t("undone"));
      } catch (error) {
        fail(error);
      }
      await draw();
    };
    return h("li", null, h("div.grow", null, h("strong", { lang: "en" }, one.what), h("p.quiet", null, when(one.time))), one.undone ? h("span.pill", null, t("undone")) : one.undoable && button({ icon: "undo", text: t("undo"), kind: "small", click: undo }));
  };
  await draw();
}
