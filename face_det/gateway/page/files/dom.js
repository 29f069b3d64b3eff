/** Builds elements. Data reaches the document as text only, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

/** The icons, as paths on a grid of 24. */
const ICONS = {
  live: ["M4 8V6a2 2 0 0 1 2-2h2M16 4h2a2 2 0 0 1 2 2v2M20 16v2a2 2 0 0 1-2 2h-2M8 20H6a2 2 0 0 1-2-2v-2", "M9 10v.5M15 10v.5M9 15c1.7 1.6 4.3 1.6 6 0"],
  review: ["M4 6h10M4 12h7M4 18h6", "M14 16.5l2.5 2.5L21 13"],
  people: ["M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20a6.5 6.5 0 0 1 13 0", "M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.4a6.5 6.5 0 0 1 3.5 5.6"],
  tune: ["M4 7h9M19 7h1M4 17h1M11 17h9", "M16 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM8 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z"],
  health: ["M3 12h4l2.5-6 4 12 2.5-6h5"],
  camera: ["M4 8a2 2 0 0 1 2-2h2l1.5-2h5L16 6h2a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2Z", "M12 15.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z"],
  photo: ["M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1Z", "M4 16l4.5-4.5L13 16l2.5-2.5L20 18M15.5 9v.01"],
  plus: ["M12 5v14M5 12h14"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  cross: ["M6 6l12 12M18 6L6 18"],
  back: ["M14.5 5.5L8 12l6.5 6.5"],
  next: ["M9.5 5.5L16 12l-6.5 6.5"],
  edit: ["M4 20l1-4L16 5l3 3L8 19Z"],
  move: ["M4 12h14M13 7l5 5-5 5"],
  trash: ["M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5"],
  merge: ["M6 4c0 6 6 4 6 10v6M18 4c0 6-6 4-6 10M9 17l3 3 3-3"],
  split: ["M12 20v-6c0-5-6-4-6-10M12 14c0-5 6-4 6-10M3.5 6.5L6 4l2.5 2.5M15.5 6.5L18 4l2.5 2.5"],
  undo: ["M8 5L4 9l4 4M4 9h10a5 5 0 0 1 0 10H9"],
  help: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z", "M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M12 16.6v.01"],
  warn: ["M12 4l9 16H3Z", "M12 10v4.5M12 17.2v.01"],
  ignore: ["M4 4l16 16", "M10 6.3c6-1.3 9.5 3.2 11 5.7-.6 1-1.5 2.3-2.8 3.4M14 17.7c-6 1.3-9.5-3.2-11-5.7.8-1.4 2.3-3.5 4.6-4.8"],
  download: ["M12 4v11M7.5 11l4.5 4.5L16.5 11M4 20h16"],
  upload: ["M12 16V5M7.5 9L12 4.5 16.5 9M4 20h16"],
  sun: ["M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z", "M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M19 5l-1.4 1.4M6.4 17.6L5 19"],
  refresh: ["M20 11a8 8 0 0 0-14.5-3.7L4 9M4 4.5v4.5h4.5M4 13a8 8 0 0 0 14.5 3.7L20 15M20 19.5v-4.5h-4.5"],
  globe: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z", "M3 12h18M12 3c5 5.5 5 12.5 0 18M12 3c-5 5.5-5 12.5 0 18"],
  more: ["M5 12v.01M12 12v.01M19 12v.01"],
  play: ["M8 5l11 7-11 7Z"],
  pause: ["M8 5v14M16 5v14"],
  leave: ["M14 4h4a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-4M10 8l-4 4 4 4M6 12h9"],
  voice: ["M12 14.5a3 3 0 0 0 3-3v-5a3 3 0 0 0-6 0v5a3 3 0 0 0 3 3Z", "M6 11.5a6 6 0 0 0 12 0M12 17.5V21M9 21h6"],
  history: ["M4 12a8 8 0 1 0 2.5-5.8L4 8.5M4 4v4.5h4.5M12 8v4.5l3 2"],
};

/**
 * Makes an element. `props` are attributes; `on` maps events to handlers; true and false set and leave out.
 * @param {string} tag such as "button.primary": a tag and its classes
 * @param {Record<string, any> | null} [props]
 * @param {...any} children elements, text, or lists of them; null and false are left out
 * @returns {any}
 */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** @param {Element} element @param {any[]} children */
function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/**
 * Replaces what is in an element.
 * @param {Element} element @param {...any} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** @param {keyof typeof ICONS | string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.dataset.icon = name;
  for (const d of ICONS[name] ?? []) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/**
 * A button with an icon and perhaps text.
 * @param {{icon?: string, text?: string, label?: string, kind?: string, title?: string, click?: (event: Event) => any, [attribute: string]: any}} options
 */
export function button({ icon: name, text, label, kind = "", click, ...attributes }) {
  const classes = `button${kind ? `.${kind}` : ""}${name && !text ? ".square" : ""}`;
  const made = h(
    `button.${classes}`,
    { type: "button", "aria-label": label, title: label, ...attributes },
    name && icon(name),
    text && h("span", null, text),
  );
  if (click) made.addEventListener("click", (event) => during(made, () => click(event)));
  return made;
}

/**
 * Keeps a button from being pressed again while its work goes on.
 * @param {HTMLButtonElement} made @param {() => any} work
 */
async function during(made, work) {
  if (made.getAttribute("aria-busy") === "true") return;
  const going = work();
  if (!(going instanceof Promise)) return;
  made.setAttribute("aria-busy", "true");
  try {
    await going;
  } finally {
    made.removeAttribute("aria-busy");
  }
}

/** Tells screen readers something. @param {string} text */
export function say(text) {
  const said = document.getElementById("said");
  if (said) said.textContent = said.textContent === text ? `${text}\u00a0` : text;
}
