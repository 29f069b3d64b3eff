/** Takes many photos of one person at once: finds the faces, asks which one is meant, stores it. */

import { ApiError, part, upload } from "../api.js";
import { button, fill, h, icon, say } from "../dom.js";
import { describe } from "../describe.js";
import { holdPage } from "../leaving.js";
import { forgetPeople } from "../people.js";
import { decode, shrink } from "../pictures.js";
import { detail, sentence } from "../problems.js";
import { t, tn } from "../strings.js";
import { changed, toast } from "./toast.js";

const LARGE_BYTES = 20_000_000;
const LARGE_PX = 3000;
const THUMBNAIL_PX = 96;

/** @type {File[]} */
let handedOver = [];

/** The next upload that is made begins with these. @param {File[]} files */
export const handOver = (files) => {
  handedOver = files;
};

/**
 * @typedef {{signal: AbortSignal, added?: (count: number) => any, settled?: (count: number) => any}} View
 * @typedef {{element: HTMLElement, focus: () => void, take: (files: Iterable<File>) => any, show: (view: View) => void}} Upload
 */

/**
 * Photos are learnt on while another view is shown; whoever comes back finds the same list.
 * @type {Map<string, Upload>}
 */
const ongoing = new Map();

/**
 * `added` is told of photos that are stored; `settled` only once no question is open, with how many that were.
 * @param {View & {name: string}} options
 * @returns {Upload}
 */
export function createUpload({ name, ...view }) {
  const made = ongoing.get(name) ?? createList(name);
  made.show(view);
  if (handedOver.length) {
    const files = handedOver;
    handedOver = [];
    // The element is in no document yet.
    queueMicrotask(() => made.take(files));
  }
  return made;
}

/** @param {string} name @returns {Upload} */
function createList(name) {
  /** @type {View} */
  let view = { signal: AbortSignal.abort() };
  /** @type {(() => void) | null} */
  let release = null;
  const input = h("input.unseen", { type: "file", accept: "image/*,.heic,.heif", multiple: true });
  const zone = h("label.drop", null, input, icon("upload"), h("strong", null, t("upload.drop")), h("span.quiet", null, t("upload.how")));
  const list = h("ul.uploads", { "aria-label": t("upload.list") });
  const bar = h("progress", { max: 1, value: 0, "aria-label": t("upload.progress"), hidden: true });
  const status = h("p.quiet", { role: "status" });
  const element = h("div.stack.upload", null, zone, bar, status, list);
  let [total, finished, stored] = [0, 0, 0];
  let [open, kept, missed] = [0, 0, 0];
  /** @type {(string | number)[]} */
  let changes = [];
  /** @type {Promise<any>} */
  let working = Promise.resolve();

  /** Photos are dropped anywhere in the window; what becomes of them is to be seen. */
  const reveal = () => {
    const folded = element.closest("details");
    if (folded) folded.open = true;
    element.scrollIntoView({ block: "nearest" });
  };
  const take = (/** @type {Iterable<File>} */ files) => {
    reveal();
    ongoing.set(name, made);
    release ??= holdPage();
    for (const file of files) {
      total += 1;
      const row = h("li", null, h("div.thumb"), h("div.grow", null, h("span.file", null, file.name), h("span.quiet", null, t("upload.waiting"))));
      list.prepend(row);
      working = working.then(() => one(file, row));
    }
    progress();
    working.then(finish);
  };
  const progress = () => {
    bar.hidden = total === 0 || finished === total;
    bar.max = total;
    bar.value = finished;
    status.textContent = total ? t("upload.count", { done: finished, total }) : "";
  };
  const finish = () => {
    if (finished < total) return;
    const left = view.signal.aborted;
    if (stored) {
      changed(tn("people.added", stored, { name }), changes, () => view.signal.aborted || view.added?.(0));
      say(tn("people.added", stored, { name }));
      if (!left) view.added?.(stored);
      [total, finished, stored, changes] = [0, 0, 0, []];
    }
    // Nobody sees the list.
    if (left && missed) toast(tn("upload.notAdded", missed, { name }), { warn: true });
    if (left && open) toast(tn("upload.asks", open, { name }), { warn: true });
    missed = 0;
    if (open) return;
    release?.();
    release = null;
    ongoing.delete(name);
    if (kept && !left) view.settled?.(kept);
  };
  const end = (/** @type {Element} */ row, /** @type {string} */ tone, /** @type {any[]} */ ...text) => {
    row.className = tone;
    fill(/** @type {Element} */ (row.querySelector(".quiet")), text);
    if (tone === "poor") missed += 1;
    finished += 1;
    progress();
  };

  const one = async (/** @type {File} */ file, /** @type {HTMLElement} */ row) => {
    const words = /** @type {Element} */ (row.querySelector(".quiet"));
    words.textContent = t("upload.looking");
    const bitmap = await decode(file);
    try {
      if (bitmap) fill(/** @type {Element} */ (row.querySelector(".thumb")), thumbnail(bitmap));
      /** @type {Blob} */
      const picture = bitmap && file.size > LARGE_BYTES ? await shrink(bitmap, LARGE_PX) : file;
      // Most photos show one face; to look for it before would take as long again.
      const refused = await store(picture, null, row).catch(unclear);
      if (!refused) return null;
      const { faces } = await upload("faces", picture);
      if (!faces.length) return end(row, "poor", t("upload.nobody"));
      if (refused.code === "NoFace") return end(row, "poor", sentence(refused), detail(refused));
      const size = picture === file ? bitmap : await decode(picture);
      if (!size) return end(row, "poor", t("upload.unseen"));
      ask(picture, size, faces, row);
      finished += 1;
      return progress();
    } catch (error) {
      return error instanceof ApiError ? end(row, "poor", sentence(error), detail(error)) : end(row, "poor", t("problem.other"));
    }
  };

  const store = async (/** @type {Blob} */ picture, /** @type {any} */ box, /** @type {HTMLElement} */ row) => {
    const answer = await upload(`people/${part(name)}/photos`, picture, box ? { faceBox: JSON.stringify(box) } : {});
    stored += 1;
    kept += 1;
    if (answer.change) changes.push(answer.change);
    forgetPeople();
    end(row, "known", t("upload.stored"));
  };

  /** Shows the faces of a picture, to be clicked. */
  const ask = (/** @type {Blob} */ picture, /** @type {ImageBitmap} */ bitmap, /** @type {any[]} */ faces, /** @type {HTMLElement} */ row) => {
    const image = h("img", { src: URL.createObjectURL(picture), alt: "" });
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    const boxes = faces.map((found, index) => {
      const { xmin, ymin, xmax, ymax } = found.faceBox;
      const made = h("button.pick", { type: "button", "aria-label": t("upload.face", { n: index + 1, who: describe(found).title }) });
      made.style.left = `${(100 * xmin) / bitmap.width}%`;
      made.style.top = `${(100 * ymin) / bitmap.height}%`;
      made.style.width = `${(100 * (xmax - xmin)) / bitmap.width}%`;
      made.style.height = `${(100 * (ymax - ymin)) / bitmap.height}%`;
      made.addEventListener("click", async () => {
        finished -= 1;
        answered();
        try {
          await store(picture, found.faceBox, row);
        } catch (error) {
          end(row, "poor", sentence(error), detail(error));
        }
        finish();
      });
      return made;
    });
    const skip = button({ text: t("upload.skip"), kind: "small", click: () => {
      answered();
      row.className = "poor";
      fill(/** @type {Element} */ (row.querySelector(".quiet")), t("upload.skipped"));
      finish();
    } });
    const frame = h("div.picking", null, image, boxes);
    frame.style.aspectRatio = `${bitmap.width} / ${bitmap.height}`;
    const question = h("div.question", null, h("div.between", null, h("p", null, t("upload.which", { name })), skip), frame);
    const answered = () => {
      open -= 1;
      question.remove();
    };
    open += 1;
    row.className = "asks";
    fill(/** @type {Element} */ (row.querySelector(".quiet")), t("upload.several"));
    row.append(question);
    list.prepend(row);
  };

  input.addEventListener("change", () => {
    take([...(input.files ?? [])]);
    input.value = "";
  });
  /** @type {Upload} */
  const made = {
    element,
    take,
    focus: () => input.focus(),
    show: (next) => {
      view = next;
      acceptDrops(zone, take, view.signal);
      // The element is in no document yet.
      if (list.children.length) queueMicrotask(reveal);
    },
  };
  return made;
}

/**
 * Takes pictures that are dropped anywhere in the window, or pasted.
 * @param {HTMLElement} zone @param {(files: File[]) => any} take @param {AbortSignal} signal
 */
export function acceptDrops(zone, take, signal) {
  const pictures = (/** @type {DataTransfer | null} */ data) =>
    [...(data?.files ?? [])].filter((file) => file.type.startsWith("image/") || /\.hei[cf]$/i.test(file.name));
  const over = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    zone.classList.add("over");
  };
  const away = () => zone.classList.remove("over");
  addEventListener("dragover", over, { signal });
  addEventListener("dragleave", away, { signal });
  addEventListener("drop", (event) => {
    event.preventDefault();
    away();
    const files = pictures(event.dataTransfer);
    if (files.length) take(files);
    else if (event.dataTransfer?.files.length) toast(t("upload.noPicture"), { warn: true });
  }, { signal });
  addEventListener("paste", (event) => {
    const files = pictures(event.clipboardData);
    if (files.length) take(files);
  }, { signal });
}

/** Returns the error if it says that a picture has no face or several; raises any other. @param {unknown} error */
function unclear(error) {
  if (error instanceof ApiError && ["NoFace", "SeveralFaces"].includes(error.code)) return error;
  throw error;
}

/** @param {ImageBitmap} bitmap */
function thumbnail(bitmap) {
  const canvas = h("canvas", { width: THUMBNAIL_PX, height: THUMBNAIL_PX });
  const side = Math.min(bitmap.width, bitmap.height);
  canvas.getContext("2d")?.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 4, side, side, 0, 0, THUMBNAIL_PX, THUMBNAIL_PX);
  return canvas;
}
