/** First run: three steps to the first name. */

import { ApiError, isAbort } from "../api.js";
import { createCapture } from "../components/capture.js";
import { createUpload } from "../components/upload.js";
import { nameField } from "../components/namefield.js";
import { createStage } from "../components/stage.js";
import { button, fill, h, icon } from "../dom.js";
import { hasWebcam } from "../pictures.js";
import { sentence } from "../problems.js";
import { go } from "../router.js";
import { t } from "../strings.js";
import { watchWebcam } from "../watching.js";

/** @param {import("../router.js").Place} place */
export async function show({ root, signal }) {
  const steps = [1, 2, 3].map((n) => h("li", null, h("span.n", { "aria-hidden": "true" }, n), h("div", null, h("strong", null, t(`start.${n}`)), h("p.quiet", null, t(`start.${n}.how`)))));
  const at = (/** @type {number} */ step) =>
    steps.forEach((one, index) => {
      one.className = index < step ? "done" : index === step ? "now" : "";
      if (index === step) one.setAttribute("aria-current", "step");
      else one.removeAttribute("aria-current");
    });
  const work = h("div.work");
  at(0);
  const choose = () => {
    at(0);
    fill(
      work,
      h(
        "div.choices",
        null,
        hasWebcam() && choice("camera", t("start.camera"), t("start.camera.how"), () => webcam()),
        choice("photo", t("start.photos"), t("start.photos.how"), () => photos()),
      ),
      !hasWebcam() && h("p.quiet", null, t("live.noWebcam")),
    );
  };
  const finished = (/** @type {string} */ name) => {
    at(3);
    fill(
      work,
      h("div.finished", null, h("div.badge", null, icon("check")), h("h2", null, t("start.done", { name })), h("p", null, t("start.done.how"))),
      h("div.row.centred", null, button({ icon: "live", text: t("start.look"), kind: "primary", click: () => go("live") }), button({ icon: "plus", text: t("start.another"), click: choose })),
    );
  };
  const webcam = () => {
    at(0);
    const watching = new AbortController();
    signal.addEventListener("abort", () => watching.abort(), { once: true });
    const back = () => {
      watching.abort();
      choose();
    };
    const stage = createStage({ label: t("live.picture") });
    const capture = createCapture({
      done: (name) => {
        watching.abort();
        finished(name);
      },
      cancel: back,
    });
    stage.say(h("p", null, t("live.opening")));
    fill(work, stage.element, capture.element);
    let asked = false;
    const saw = (/** @type {any} */ seen) => {
      stage.say();
      capture.see(seen);
      if (!asked && capture.element.querySelector("form")) {
        asked = true;
        at(1);
      }
    };
    watchWebcam(stage, saw, watching.signal, () => ({ thorough: true })).catch((error) => {
      if (isAbort(error)) return;
      const key = error?.name === "NotAllowedError" ? "live.refused" : "live.noCamera";
      stage.say(h("p", null, error instanceof ApiError ? sentence(error) : t(key)), button({ text: t("start.photos"), click: () => photos() }));
    });
  };
  const photos = () => {
    at(1);
    const field = nameField({ label: t("capture.who") });
    const form = h("form.row.bottom", null, field.element, h("button.button.primary", { type: "submit" }, t("start.next")));
    form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      const name = field.value();
      if (!name) return field.focus();
      const adding = createUpload({ name, signal, settled: () => finished(name) });
      fill(work, h("h2", null, t("people.photosOf", { name })), adding.element, button({ icon: "back", text: t("back"), kind: "bare", click: choose }));
      adding.focus();
    });
    fill(work, form, button({ icon: "back", text: t("back"), kind: "bare", click: choose }));
    field.focus();
  };
  choose();
  fill(root, h("div.start", null, h("div.intro", null, h("h1", null, t("start.title")), h("p.lead", null, t("start.lead")), h("ol.steps", null, steps)), h("section.card.large", { "aria-label": t("start.title") }, work)));
}

/** @param {string} name the icon @param {string} title @param {string} text @param {() => any} click */
function choice(name, title, text, click) {
  const made = h("button.choice", { type: "button" }, icon(name), h("strong", null, title), h("span.quiet", null, text));
  made.addEventListener("click", click);
  return made;
}
