/** Somebody's voice: recordings that can be played and deleted, and a new one from the microphone. */

import { address, ApiError, get, isAbort, part, post, remove } from "../api.js";
import { button, fill, h, icon, say } from "../dom.js";
import { holdPage } from "../leaving.js";
import { hasMicrophone, record } from "../microphone.js";
import { forgetPeople } from "../people.js";
import { ago, duration, t, tn } from "../strings.js";
import { changed, fail, toast } from "./toast.js";

const SECONDS = 7;
/** The root mean square below which nobody can be heard, and the peak that is cut off. */
const QUIET = 0.008;
const CLIPPED = 0.99;
/** After so many seconds without a word a hint says so. */
const PATIENCE_S = 1.5;
/** A hint stays at least so long, to be read. */
const HINT_MS = 700;
/** The level, in decibels, at which the meter begins. */
const SILENCE_DB = -60;

/**
 * @param {{name: string, signal: AbortSignal, changed: () => any}} options
 * @returns {{element: HTMLElement, draw: (some: boolean) => Promise<void>}}
 */
export function createVoice({ name, signal, changed: tell }) {
  const path = `people/${part(name)}/recordings`;
  const summary = h("span", null, t("voice.title"));
  const list = h("ul.recordings");
  const stage = h("div.stack");
  const element = h("details.card.voice", null, h("summary", null, icon("voice"), summary), h("div.stack", null, list, stage));

  const draw = async (/** @type {boolean} */ some) => {
    const found = some ? await get(path, {}, signal).catch(nobody) : { recordings: [] };
    element.hidden = found === null;
    if (!found) return;
    const { recordings } = found;
    summary.textContent = recordings.length ? tn("voice.recordings", recordings.length) : t("voice.title");
    fill(list, recordings.map((/** @type {any} */ one) => entry(one)));
  };
  const again = async () => {
    forgetPeople();
    await tell();
  };
  const entry = (/** @type {any} */ one) => {
    const when = ago(one.added);
    const facts = [when, one.speech !== null && t("voice.speech", { length: duration(one.speech) })].filter(Boolean);
    return h(
      "li",
      null,
      h("audio", { controls: true, preload: "none", src: address(`${path}/${part(one.recording)}`), "aria-label": t("voice.recording", { name, when }) }),
      h("span.quiet", null, one.state === "enrolled" ? facts.join(" · ") : t("voice.leftOut")),
      button({ icon: "trash", label: t("voice.delete", { when }), kind: "bare", click: () => discard(one.recording) }),
    );
  };
  const discard = async (/** @type {string} */ recording) => {
    try {
      const { change } = await remove(`${path}/${part(recording)}`);
      changed(t("voice.deleted"), [change], again);
      await again();
    } catch (error) {
      fail(error);
    }
  };
  const idle = () =>
    fill(
      stage,
      h("p.quiet", null, t(hasMicrophone() ? "voice.how" : "voice.noMicrophone")),
      hasMicrophone() && h("div.row", null, button({ icon: "voice", text: t("voice.record"), kind: "primary", click: () => listen() })),
    );
  const listen = async () => {
    const stopping = new AbortController();
    const stop = () => stopping.abort();
    signal.addEventListener("abort", stop, { once: true });
    const made = meter(stop);
    fill(stage, made.element);
    try {
      const blob = await record(SECONDS, stopping.signal, made.show);
      made.done();
      await store(blob);
    } catch (error) {
      const name = /** @type {any} */ (error)?.name;
      if (["NotAllowedError", "NotFoundError", "NotReadableError"].includes(name)) toast(t(name === "NotAllowedError" ? "voice.refused" : "voice.noMicrophone"), { warn: true });
      else if (!isAbort(error)) fail(error);
    } finally {
      signal.removeEventListener("abort", stop);
      idle();
    }
  };
  const store = async (/** @type {Blob} */ blob) => {
    const form = new FormData();
    form.append("audio", blob, "microphone.wav");
    const release = holdPage();
    const answer = await post(path, form).finally(release);
    changed(t("voice.learnt", { name }), answer.change ? [answer.change] : [], again);
    say(t("voice.learnt", { name }));
    await again();
  };
  idle();
  return { element, draw };
}

/** Shows how loud it is and what to do. @param {() => any} cancel */
function meter(cancel) {
  const hint = h("p.hint", { "aria-live": "polite" }, t("voice.speak"));
  const count = h("span.count", null, `0 / ${SECONDS} s`);
  const level = h("meter", { min: SILENCE_DB, max: 0, low: -45, high: -3, optimum: -20, value: SILENCE_DB, "aria-label": t("voice.level") });
  const progress = h("progress", { max: SECONDS, value: 0, "aria-label": t("voice.progress") });
  const stop = button({ text: t("cancel"), click: cancel });
  const element = h("div.stack", null, h("div.between", null, hint, count), level, progress, h("div.row", null, stop));
  let heardAt = 0;
  let toldAt = 0;
  const tell = (/** @type {string} */ key, tone = "") => {
    const now = performance.now();
    if (hint.textContent === t(key) || now - toldAt < HINT_MS) return;
    toldAt = now;
    hint.textContent = t(key);
    hint.className = `hint ${tone}`;
  };
  return {
    element,
    show: (/** @type {{level: number, peak: number, seconds: number}} */ heard) => {
      level.value = Math.max(SILENCE_DB, 20 * Math.log10(heard.level + 1e-6));
      progress.value = heard.seconds;
      count.textContent = `${Math.floor(heard.seconds)} / ${SECONDS} s`;
      if (heard.level > QUIET) heardAt = heard.seconds;
      if (heard.peak > CLIPPED) tell("voice.loud", "wrong");
      else if (heard.seconds - heardAt > PATIENCE_S) tell("voice.quiet", "wrong");
      else tell(heardAt ? "voice.good" : "voice.speak", heardAt ? "good" : "");
    },
    done: () => {
      hint.textContent = t("voice.saving");
      hint.className = "hint";
      stop.remove();
    },
  };
}

/** Somebody without recordings, or a gateway that knows of none. @param {unknown} error */
function nobody(error) {
  if (error instanceof ApiError && error.missing) return null;
  if (error instanceof ApiError && error.code === "UnknownPerson") return { recordings: [] };
  throw error;
}
