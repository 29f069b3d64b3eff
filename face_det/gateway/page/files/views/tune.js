/** Tune: how careful to be with names, training, earlier models, and how good the answers are. */

import { get, isAbort, part, pause, post, put } from "../api.js";
import { notice, skeletons } from "../components/notice.js";
import { fail, toast } from "../components/toast.js";
import { button, fill, h, say } from "../dom.js";
import { detail, inEnglish, sentence } from "../problems.js";
import { ago, currentLanguage, number, share, t, tn } from "../strings.js";

const STRICTEST = 5;
const LOOSEST = 1;
const STEP = 0.25;
const ASK_MS = 250;
const WATCH_MS = 1000;

/** @param {import("../router.js").Place} place */
export async function show({ root, signal }) {
  const parts = [slider, training, models, evaluation].map((make) => make(signal));
  const loaded = parts.map((one) => one.load().catch((/** @type {unknown} */ error) => unavailable(one, error)));
  const columns = h("div.columns", null, h("div.card.skeleton"), h("div.card.skeleton"));
  fill(root, h("header.head", null, h("div", null, h("h1", null, t("nav.tune")), h("p.lead", null, t("tune.lead")))), columns);
  // The parts appear at their size, so that nothing jumps; training and evaluation may go on for long.
  await Promise.all([loaded[0], loaded[2]]);
  if (!signal.aborted) fill(columns, parts[0].element, h("div.stack", null, parts.slice(1).map((one) => one.element)));
  await Promise.all(loaded);
}

/** @param {{element: HTMLElement}} section @param {unknown} error */
function unavailable({ element }, error) {
  if (isAbort(error)) return;
  fill(element, element.querySelector("h2"), notice("help", sentence(error), detail(error)));
}

/** @param {string} title @param {...any} content */
const section = (title, ...content) => h("section.card.stack", { "aria-label": t(title) }, h("h2", null, t(title)), content);

/** The rate as "1 in 1,000". @param {number} rate */
export const oneIn = (rate) => t("tune.oneIn", { n: number(Math.round(1 / rate), { maximumSignificantDigits: 2 }) });

/** @param {AbortSignal} signal */
function slider(signal) {
  const input = h("input", { type: "range", id: "rate", min: LOOSEST, max: STRICTEST, step: STEP, "aria-describedby": "rate-words" });
  const big = h("strong.big", null, "\u00a0");
  const words = h("p", { id: "rate-words", "aria-live": "polite" }, "\u00a0");
  const more = h("p.quiet");
  const rungs = h("div");
  const save = button({ text: t("tune.save"), kind: "primary", disabled: true, click: () => store(rate()) });
  const reset = button({ text: t("tune.reset"), click: () => store(null) });
  const element = section("tune.careful", h("label.unseen", { for: "rate" }, t("tune.rate")), h("div.rate", null, big, input, h("div.between.quiet", null, h("span", null, t("tune.loose")), h("span", null, t("tune.strict")))), words, more, rungs, h("div.row", null, save, reset));
  let present = 0.001;
  const rate = () => 10 ** -Number(input.value);
  /** @type {any} */
  let timer;
  const draw = (/** @type {any} */ answer) => {
    const value = answer.falseAcceptRate ?? rate();
    big.textContent = oneIn(value);
    words.textContent = t("tune.meaning", { n: number(Math.round(1 / value), { maximumSignificantDigits: 2 }) });
    // The API's sentence is English; the table says the same in any language.
    more.textContent = !answer.ladder?.length ? t("tune.none") : currentLanguage() === "en" ? answer.sentence ?? "" : "";
    fill(rungs, ladder(answer.ladder, value));
  };
  const ask = async () => {
    save.disabled = isSame(rate(), present);
    big.textContent = oneIn(rate());
    clearTimeout(timer);
    timer = setTimeout(async () => {
      try {
        draw(await get("tuning", { falseAcceptRate: rate() }, signal));
      } catch (error) {
        fail(error);
      }
    }, ASK_MS);
  };
  input.addEventListener("input", ask);
  const store = async (/** @type {number | null} */ value) => {
    try {
      await put("tuning", { falseAcceptRate: value });
      toast(t("tune.saved"));
      await load();
    } catch (error) {
      fail(error);
    }
  };
  const load = async () => {
    const answer = await get("tuning", {}, signal);
    present = answer.falseAcceptRate;
    input.value = String(-Math.log10(present));
    save.disabled = true;
    reset.hidden = answer.source !== "settings";
    draw(answer);
  };
  return { element, load };
}

/** @param {number} one @param {number} two */
const isSame = (one, two) => Math.abs(Math.log10(one / two)) < 0.02;

/** What each rate costs, as a table. @param {any[]} rungs @param {number} value */
function ladder(rungs, value) {
  // Nobody has two photos of different moments, so nobody knows.
  if (rungs.every((one) => one.recognised === undefined || one.recognised === null)) return null;
  return h(
    "table.ladder",
    null,
    h("caption.unseen", null, t("tune.ladder")),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, t("tune.strangers")), h("th", { scope: "col" }, t("tune.recognised")))),
    h("tbody", null, rungs.map((one) => h(`tr${isSame(one.falseAcceptRate, value) ? ".here" : ""}`, null, h("th", { scope: "row" }, oneIn(one.falseAcceptRate)), h("td", null, one.recognised === null ? "–" : share(one.recognised))))),
  );
}

/** @param {AbortSignal} signal */
function training(signal) {
  const bar = h("progress", { "aria-label": t("train.title"), hidden: true });
  const words = h("p.quiet", { role: "status" }, "\u00a0");
  const quick = h("input", { type: "checkbox", id: "quick", role: "switch", checked: true });
  const go = button({ text: t("train.begin"), kind: "primary", click: () => begin() });
  const element = section("train.title", h("p", null, t("train.how")), h("label.switch", { for: "quick" }, quick, h("span", null, t("train.quick"))), h("div.row", null, go), bar, words);
  const begin = async () => {
    try {
      await post("training", { quick: quick.checked });
      await watch();
    } catch (error) {
      fail(error);
    }
  };
  const watch = async () => {
    for (;;) {
      const now = await get("training", {}, signal);
      go.disabled = now.running;
      bar.hidden = !now.running;
      if (now.running) {
        if (now.total) [bar.max, bar.value] = [now.total, now.done];
        else bar.removeAttribute("value");
        words.textContent = t("train.running", { step: now.step ?? "", done: now.done ?? 0, total: now.total ?? 0 });
        await pause(WATCH_MS, signal);
        continue;
      }
      if (now.error) fill(words, t("problem.other"), inEnglish(String(now.error.detail ?? now.error)));
      else words.textContent = now.report ? tn("train.done", peopleIn(now.report)) : "";
      if (words.textContent) say(words.textContent);
      return;
    }
  };
  return { element, load: watch };
}

/** @param {any} report */
const peopleIn = (report) => (Array.isArray(report.people) ? report.people.length : typeof report.people === "object" ? Object.keys(report.people ?? {}).length : Number(report.people ?? 0));

/** @param {AbortSignal} signal */
function models(signal) {
  const list = h("ul.lines", null, h("li.skeleton"));
  const element = section("models.title", h("p.quiet", null, t("models.how")), list);
  const load = async () => {
    const answer = await get("models", {}, signal);
    fill(
      list,
      answer.models.map((/** @type {any} */ one) => {
        const people = (one.classes ?? []).filter((/** @type {string} */ name) => name !== "Unknown");
        const facts = [one.classifier, tn("people.count", people.length)].join(" · ");
        const use = button({ icon: "history", text: t("models.use"), kind: "small", click: async () => {
          try {
            await post(`models/${part(String(one.model))}/use`);
            toast(t("models.used"));
            await load();
          } catch (error) {
            fail(error);
          }
        } });
        return h("li", null, h("div.grow", null, h("strong", null, trained(one.trained_at)), h("p.quiet", null, facts)), one.in_use ? h("span.pill", null, t("models.inUse")) : use);
      }),
      answer.models.length === 0 && h("li", null, t("models.none")),
    );
  };
  return { element, load };
}

/** @param {any} at seconds since 1970, or text of a date */
function trained(at) {
  if (typeof at === "number") return ago(at);
  const parsed = Date.parse(String(at));
  return Number.isNaN(parsed) ? String(at ?? "") : ago(parsed / 1000);
}

/** @param {AbortSignal} signal */
function evaluation(signal) {
  const report = h("div.stack");
  const words = h("p.quiet", { role: "status" }, "\u00a0");
  const bar = h("progress", { "aria-label": t("evaluate.title"), hidden: true });
  const go = button({ text: t("evaluate.begin"), click: () => begin() });
  const element = section("evaluate.title", h("p", null, t("evaluate.how")), h("div.row", null, go), bar, words, report);
  const begin = async () => {
    try {
      await post("evaluation");
      await watch();
    } catch (error) {
      fail(error);
    }
  };
  const watch = async () => {
    for (;;) {
      const now = await get("evaluation", {}, signal);
      go.disabled = Boolean(now.running);
      bar.hidden = !now.running;
      if (now.running) {
        if (now.total) [bar.max, bar.value] = [now.total, now.done];
        else bar.removeAttribute("value");
        words.textContent = t("evaluate.running");
        await pause(WATCH_MS, signal);
        continue;
      }
      if (now.error) fill(words, t("problem.other"), inEnglish(String(now.error)));
      else words.textContent = now.at ? t("evaluate.at", { when: ago(now.at) }) : t("evaluate.none");
      fill(report, now.report && figures(now.report));
      return;
    }
  };
  return { element, load: watch };
}

/** What matters to a family: who was recognised, who was mistaken, which strangers got a name. @param {any} report */
function figures(report) {
  const found = report.endToEnd ?? {};
  const line = (/** @type {string} */ words, /** @type {any} */ one) => one && one.of > 0 && [h("dt", null, words), h("dd", null, t("evaluate.share", { share: share(one.count / one.of), n: number(one.count), of: number(one.of) }))];
  const people = Object.entries(report.perPerson ?? {}).map(([name, one]) => line(name, /** @type {any} */ (one).knownRight));
  return [
    h("dl.facts", null, line(t("evaluate.right"), found.knownRight), line(t("evaluate.wrong"), found.knownWrong), line(t("evaluate.strangers"), found.strangersNamed)),
    people.some(Boolean) && h("details", null, h("summary", null, t("evaluate.people")), h("dl.facts", null, people)),
  ];
}
