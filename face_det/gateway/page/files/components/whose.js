/** Asks whose the photos are that are dropped onto a view, and hands them to the view of that person. */

import { part } from "../api.js";
import { knownPeople } from "../people.js";
import { go } from "../router.js";
import { t, tn } from "../strings.js";
import { askName } from "./dialog.js";
import { acceptDrops, handOver } from "./upload.js";

/** @param {HTMLElement} root @param {AbortSignal} signal */
export const askWhose = (root, signal) => acceptDrops(root, addPhotos, signal);

/** @param {File[]} files */
async function addPhotos(files) {
  const name = await askName({ title: tn("people.whose", files.length), action: t("start.next") });
  if (!name) return;
  const known = (await knownPeople()).some((/** @type {any} */ one) => one.name === name);
  handOver(files);
  go(`person/${part(name)}${known ? "" : "?new"}`);
}
