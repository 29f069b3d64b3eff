/** Who is enrolled, kept for as long as nothing changes. */

import { get } from "./api.js";

/** @typedef {import("./api.js").Person} Person */

const FRESH_MS = 5000;
/** @type {Promise<Person[]> | null} */
let asked = null;
let at = 0;

/** @returns {Promise<Person[]>} */
export function knownPeople() {
  if (!asked || Date.now() - at > FRESH_MS) {
    at = Date.now();
    asked = get("people").then((answer) => answer.people);
    asked.catch(forgetPeople);
  }
  return asked;
}

/** Asks anew the next time: somebody was enrolled, renamed or removed. */
export function forgetPeople() {
  asked = null;
}
