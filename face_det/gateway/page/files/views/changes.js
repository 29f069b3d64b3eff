/** What was changed lately; each change can be undone. */

import { get, part, post } from "../api.js";
import { empty, skeletons } from "../components/notice.js";
import { fail, toast } from "../components/toast.js";
import { button, fill, h, icon } from "../dom.js";
import { forgetPeople } from "../people.js";
import { has, t, when } from "../strings.js";

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
    const id = one.change ?? one.id;
    const undone = Boolean(one.undone ?? one.undoneBy);
    const undo = async () => {
      try {
        await post(`changes/${part(String(id))}/undo`);
        forgetPeople();
        toast(t("undone"));
      } catch (error) {
        fail(error);
      }
      await draw();
    };
    return h("li", null, h("div.grow", null, h("strong", null, words(one)), h("p.quiet", null, when(one.time ?? one.at ?? 0))), undone ? h("span.pill", null, t("undone")) : one.verb !== "undo" && button({ icon: "undo", text: t("undo"), kind: "small", click: undo }));
  };
  await draw();
}

/** @param {any} one */
function words(one) {
  if (one.what) return one.what;
  const verb = String(one.verb ?? "");
  const name = one.name ?? one.to ?? one.into ?? "";
  return has(`changes.${verb}`) ? t(`changes.${verb}`, { name, n: one.sightings ?? one.photos ?? "" }) : [verb.replace(/_/g, " "), name].filter(Boolean).join(": ");
}
