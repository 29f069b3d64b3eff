/** Live: who is in front of the webcam or a camera right now. */

import { ApiError, get, isAbort, upload } from "../api.js";
import { button, fill, h, say } from "../dom.js";
import { describe } from "../describe.js";
import { createCapture, enrol } from "../components/capture.js";
import { askName } from "../components/dialog.js";
import { face as faceImage } from "../components/face.js";
import { createStage, inWords } from "../components/stage.js";
import { fail } from "../components/toast.js";
import { crop, decode, hasWebcam, shrink } from "../pictures.js";
import { detail, sentence } from "../problems.js";
import { go } from "../router.js";
import { number, percent, t } from "../strings.js";
import { createTracks, keepElements } from "../tracks.js";
import { watchCamera, watchWebcam } from "../watching.js";
import { keepLive } from "../live-face.js";

/** @typedef {import("../watching.js").Seen} Seen */

const SPOKEN_MS = 2500;
const PHOTO_PX = 1600;

/** @param {import("../router.js").Place} place */
export async function show({ root, query, signal }) {
  const screen = createScreen(signal);
  fill(root, h("h1.unseen", null, t("nav.live")), screen.element);
  const status = await get("status", {}, signal).catch(() => null);
  screen.offer(status?.gateway?.cameras ?? [], Boolean(status?.sightings));
  await screen.start(query.get("camera") ?? (hasWebcam() ? "" : null));
  if (query.has("capture")) screen.capture(query.get("capture") ?? "");
}

/** @param {AbortSignal} signal */
function createScreen(signal) {
  const stage = createStage({ label: t("live.picture"), pick: (index) => explain(index) });
  const pace = h("p.pace", null, "\u00a0");
  const list = h("ul.present", { "aria-label": t("live.present") });
  const nobody = h("p.quiet.nobody", null, t("live.nobody"));
  const sources = h("div.row.sources");
  const panel = h("div.stack");
  const keep = h("input", { type: "checkbox", id: "remember", role: "switch" });
  const keepRow = h("label.switch", { for: "remember", hidden: true }, keep, h("span", null, t("live.remember")));
  const element = h(
    "div.live",
    null,
    h("div.screen", null, stage.element, h("div.between", null, sources, pace)),
    h("aside.panel", null, panel, h("section.card", { "aria-label": t("live.present") }, h("h2", null, t("live.present")), list, nobody, keepRow)),
  );
  /** @type {Seen | null} */
  let last = null;
  /** @type {ReturnType<typeof createCapture> | null} */
  let capturing = null;
  let spoken = "";
  let spokenAt = 0;
  const follow = createTracks();
  const rows = new Map();
  /** @type {AbortController} */
  let watching = new AbortController();

  const saw = (/** @type {Seen} */ seen) => {
    last = seen;
    stage.say();
    capturing?.see(seen);
    const text = t("live.pace", { ms: number(Math.round(seen.ms)), n: number(Math.round(seen.rate)) });
    if (pace.textContent !== text) pace.textContent = text;
    nobody.hidden = seen.faces.length > 0;
    keepElements(list, rows, follow(seen.faces), row, (node, index) => update(node, seen, index));
    const words = inWords(seen.faces);
    if (words !== spoken && performance.now() - spokenAt > SPOKEN_MS) {
      spoken = words;
      spokenAt = performance.now();
      say(words);
    }
  };

  /** A row of the list: the face, large, the name and why. */
  const row = () => {
    const canvas = h("canvas", { width: 144, height: 144, "aria-hidden": "true" });
    const name = h("strong");
    const proba = h("span.proba");
    const why = h("p.quiet");
    const index = () => Number(node.dataset.index);
    const call = button({ text: t("live.name"), kind: "small", click: () => ask(index()) });
    const reason = button({ icon: "help", label: t("why.title"), kind: "small", click: () => explain(index()) });
    const node = h("li", null, canvas, h("div.grow", null, h("div.title", null, name, proba), why), h("div.row", null, call, reason));
    return Object.assign(node, { canvas, name, proba, why, call });
  };

  const update = (/** @type {any} */ node, /** @type {Seen} */ seen, /** @type {number} */ index) => {
    const told = describe(seen.faces[index]);
    node.dataset.index = String(index);
    node.className = told.tone;
    draw(node.canvas, seen, index);
    setText(node.name, told.title);
    setText(node.proba, told.proba === undefined ? "" : percent(told.proba));
    setText(node.why, told.why);
    node.call.hidden = told.tone === "known";
  };

  const picked = (/** @type {number} */ index) => {
    const found = last?.faces[index];
    return found && last ? { face: found, only: last.faces.length === 1, blob: last.blob, picture: crop(last.source, found.faceBox, 320) } : null;
  };
  const ask = async (/** @type {number} */ index) => {
    const one = picked(index);
    if (!one) return;
    const title = t("live.who");
    const name = await askName({ title, action: t("capture.save"), value: one.face.candidates?.[0]?.name ?? "", face: faceImage(one.picture, "", { kind: "large" }) });
    if (!name) return;
    await enrol(name, one.blob, one.only ? null : one.face.faceBox).catch(fail);
    if (watching.signal.aborted) await again();
  };
  const explain = (/** @type {number} */ index) => {
    const one = picked(index);
    if (!one) return;
    keepLive(one);
    go("why/live");
  };

  /** A photo instead of a camera, where the browser gives none. @param {Blob} file */
  const lookAt = async (file) => {
    stop();
    const bitmap = await decode(file);
    if (!bitmap) return fail(new Error(t("live.unreadable")));
    const blob = await shrink(bitmap, PHOTO_PX);
    const small = /** @type {ImageBitmap} */ (await decode(blob));
    const image = h("img", { src: URL.createObjectURL(blob), alt: "" });
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    stage.mirror(false);
    stage.show(image);
    stage.shape(small.width, small.height);
    photo = { blob, small };
    await again();
  };
  /** @type {{blob: Blob, small: ImageBitmap} | null} */
  let photo = null;
  const again = async () => {
    if (!photo) return;
    const { blob, small } = photo;
    const begun = performance.now();
    try {
      const answer = await upload("faces", blob, {}, signal);
      stage.faces(answer.faces, small.width, small.height);
      saw({ faces: answer.faces, width: small.width, height: small.height, source: small, blob, ms: performance.now() - begun, rate: 0 });
    } catch (error) {
      fail(error);
    }
  };

  const stop = () => watching.abort();
  signal.addEventListener("abort", stop, { once: true });
  const choose = photoChooser(lookAt);
  const start = async (/** @type {string | null} */ name) => {
    stop();
    photo = null;
    watching = new AbortController();
    for (const one of sources.querySelectorAll("button[data-source]")) {
      one.setAttribute("aria-pressed", String(one.getAttribute("data-source") === name));
    }
    if (name === null) return stage.say(...withoutWebcam("live.noWebcam", choose));
    stage.say(h("p", null, t("live.opening")));
    const options = () => ({ remember: keep.checked, thorough: capturing !== null });
    const watched = name ? watchCamera(name, stage, saw, watching.signal, options) : watchWebcam(stage, saw, watching.signal, options);
    watched.catch((error) => {
      if (isAbort(error)) return;
      if (error instanceof ApiError) stage.say(h("p", null, sentence(error), detail(error)), button({ text: t("again"), click: () => start(name) }));
      else stage.say(...withoutWebcam(error?.name === "NotAllowedError" ? "live.refused" : "live.noCamera", choose));
    });
  };
  const capture = (/** @type {string} */ name) => {
    const end = () => {
      capturing = null;
      fill(panel, begin);
      begin.querySelector("button")?.focus();
    };
    capturing = createCapture({ name, done: () => setTimeout(end, 2500), cancel: end });
    fill(panel, capturing.element);
  };
  const begin = h("div.row.stretch", null, button({ icon: "camera", text: t("capture.begin"), kind: "primary", click: () => capture("") }));
  fill(panel, begin);
  return {
    element,
    capture,
    start,
    offer(/** @type {string[]} */ cameras, /** @type {boolean} */ remembers) {
      keepRow.hidden = !remembers;
      const source = (/** @type {string} */ name, /** @type {string} */ text) =>
        button({ text, icon: name ? "live" : "camera", kind: "chip", "data-source": name, "aria-pressed": "false", click: () => void start(name) });
      fill(sources, hasWebcam() && source("", t("live.webcam")), cameras.map((name) => source(name, name)), choose());
    },
  };
}

/** @param {Element} element @param {string} text */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Draws a face into its row. @param {HTMLCanvasElement} canvas @param {Seen} seen @param {number} index */
function draw(canvas, { source, faces, width }, index) {
  const box = faces[index].faceBox;
  const scale = source.width / width;
  const side = Math.max(box.xmax - box.xmin, box.ymax - box.ymin) * 1.4 * scale;
  const [x, y] = [((box.xmin + box.xmax) / 2) * scale, ((box.ymin + box.ymax) / 2) * scale];
  const context = canvas.getContext("2d");
  context?.clearRect(0, 0, canvas.width, canvas.height);
  context?.drawImage(source, x - side / 2, y - side / 2, side, side, 0, 0, canvas.width, canvas.height);
}

/** @param {(file: File) => any} choose @returns {() => HTMLElement} */
const photoChooser = (choose) => () => {
  const input = h("input.unseen", { type: "file", accept: "image/*", capture: "user" });
  input.addEventListener("change", () => {
    if (input.files?.[0]) choose(input.files[0]);
    input.value = "";
  });
  return h("label.button.chip", null, input, h("span", null, t("live.photo")));
};

/** @param {string} key @param {() => HTMLElement} choose */
const withoutWebcam = (key, choose) => [h("p", null, t(key)), choose()];
