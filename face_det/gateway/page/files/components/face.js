/** Pictures of faces, which keep their place while they load and show initials if they cannot. */

import { address, part } from "../api.js";
import { h, icon } from "../dom.js";

/**
 * @param {string | null} source @param {string} name for the initials; not read out, since the name stands beside it
 * @param {{alt?: string, kind?: string}} [options]
 */
export function face(source, name, { alt = "", kind = "" } = {}) {
  const frame = h(`div.face${kind && `.${kind}`}`);
  const initials = () => {
    const text = name
      .split(/\s+/)
      .map((word) => [...word][0] ?? "")
      .slice(0, 2)
      .join("")
      .toLocaleUpperCase();
    frame.classList.add("bare");
    frame.replaceChildren(text ? h("span", { "aria-hidden": "true" }, text) : icon("people"));
    if (alt) {
      frame.setAttribute("role", "img");
      frame.setAttribute("aria-label", alt);
    }
  };
  if (!source) {
    initials();
    return frame;
  }
  const image = h("img", { src: source, alt, loading: "lazy", decoding: "async", draggable: "false" });
  image.addEventListener("error", initials);
  image.addEventListener("load", () => frame.classList.add("there"));
  frame.append(image);
  return frame;
}

/** @param {any} person as in the list of people @param {number} px */
export function personFace(person, px, options = {}) {
  const cover = typeof person.cover === "string" ? person.cover : person.cover?.photo;
  return face(cover ? photoAddress(person.name, cover, { face: true, size: px }) : null, person.name, options);
}

/** @param {string} name @param {string} photo @param {Record<string, any>} [query] */
export const photoAddress = (name, photo, query) => address(`people/${part(name)}/photos/${part(photo)}`, query);

/** The face of a sighting. @param {number} id @param {string} name */
export const sightingFace = (id, name, options = {}) => face(address(`sightings/${id}/thumbnail`), name, options);
