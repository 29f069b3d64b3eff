/** What a user says about sightings, each with "Undo". */

import { get, part, post } from "./api.js";
import { changed, fail } from "./components/toast.js";
import { forgetPeople } from "./people.js";
import { t, tn } from "./strings.js";

/**
 * @typedef {{id: number, time: number, camera: string | null, frame: string | null, faceBox: any, outcome: string,
 *   face: string | null, faceProba?: number, faceReason?: string, quality?: number, unknown: string | null, visit: number,
 *   candidates?: any[], edited?: boolean, picture?: boolean, imageSize?: {width: number, height: number} | null}} Sighting
 */

/** Who a sighting probably shows, for "confirm". @param {Sighting} one @returns {string | null} */
export const likely = (one) => (one.face && one.face !== "Unknown" ? one.face : one.candidates?.[0]?.name ?? null);

/**
 * Does the same to several sightings, and offers to undo all of it.
 * @param {Sighting[]} sightings @param {(one: Sighting) => Promise<any> | null} work null leaves one out
 * @param {(count: number) => string} words @param {() => any} after
 */
async function each(sightings, work, words, after) {
  const changes = [];
  let count = 0;
  try {
    for (const one of sightings) {
      const going = work(one);
      if (!going) continue;
      const answer = await going;
      count += 1;
      if (answer?.change !== undefined && answer.change !== null) changes.push(answer.change);
    }
  } catch (error) {
    fail(error);
  }
  forgetPeople();
  if (count) changed(words(count), changes, after);
  await after();
}

/** @param {Sighting[]} sightings @param {string | null} name null: whom each was taken for @param {() => any} after */
export const confirm = (sightings, name, after) =>
  each(
    sightings,
    (one) => {
      const who = name ?? likely(one);
      return who ? post(`sightings/${one.id}/confirm`, { name: who }) : null;
    },
    (count) => tn("review.confirmed", count, { name: name ?? likely(sightings[0]) ?? "" }),
    after,
  );

/** @param {Sighting[]} sightings @param {string | null} name null: nobody who is enrolled @param {() => any} after */
export const correct = (sightings, name, after) =>
  each(
    sightings,
    (one) => (name === null && !one.face ? null : post(`sightings/${one.id}/correct`, { name })),
    (count) => (name === null ? tn("review.notMeDone", count, { name: sightings[0].face ?? "" }) : tn("review.corrected", count, { name })),
    after,
  );

/** @param {Sighting[]} sightings those of unknown people @param {() => any} after */
export const ignore = (sightings, after) => {
  /** @type {Set<string>} */
  const done = new Set();
  return each(
    sightings,
    (one) => {
      if (!one.unknown || done.has(one.unknown)) return null;
      done.add(one.unknown);
      return post(`unknowns/${part(one.unknown)}/ignore`);
    },
    (count) => tn("unknown.ignored", count),
    after,
  );
};

/** Names an unknown person. @param {string} id @param {string} name @param {() => any} after */
export async function nameUnknown(id, name, after) {
  try {
    const answer = await post(`unknowns/${part(id)}/name`, { name });
    forgetPeople();
    changed(tn("unknown.named", answer.sightings ?? 1, { name }), [answer.change], after);
  } catch (error) {
    fail(error);
  }
  await after();
}

/** @param {number} id @returns {Promise<Sighting>} */
export const readSighting = (id) => get(`sightings/${id}`);

/** @param {string} key the words @param {Promise<any>} going @param {() => any} after */
export async function tell(key, going, after) {
  try {
    const answer = await going;
    changed(t(key), answer?.change !== undefined ? [answer.change] : [], after);
  } catch (error) {
    fail(error);
  }
  await after();
}
