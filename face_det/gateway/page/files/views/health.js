/** Health: how the daemon is doing, and what is kept: backup, restore, clear. */

import { address, get, isAbort, pause, post } from "../api.js";
import { confirmed } from "../components/dialog.js";
import { notice, skeletons } from "../components/notice.js";
import { fail, toast } from "../components/toast.js";
import { button, fill, h, icon } from "../dom.js";
import { preferences } from "../navigation.js";
import { forgetPeople } from "../people.js";
import { detail, sentence } from "../problems.js";
import { go } from "../router.js";
import { duration, number, t, tn } from "../strings.js";

const LOOK_MS = 3000;

/** @param {import("../router.js").Place} place */
export async function show({ root, signal }) {
  const facts = h("div.tiles", null, Array.from({ length: 6 }, () => h("div.tile.skeleton")));
  const versions = h("dl.facts");
  const doctor = h("div.stack", null, skeletons("lines", 4));
  const columns = h(
    "div.columns",
    null,
    h("div.stack", null, keeping(), h("section.card.stack", null, h("h2", null, t("health.versions")), versions), h("section.card.stack.phone", null, h("h2", null, t("preferences")), preferences("inline"))),
    h("section.card.stack", null, h("div.between", null, h("h2", null, t("doctor.title")), button({ icon: "refresh", label: t("doctor.again"), kind: "bare", click: () => examine() })), doctor),
  );
  fill(root, h("header.head", null, h("div", null, h("h1", null, t("nav.health"))), h("div.row", null, button({ icon: "history", text: t("changes.title"), click: () => go("changes") }))), facts);
  const examine = async () => {
    try {
      const { checks } = await get("doctor", {}, signal);
      const [bad, good] = [checks.filter((/** @type {any} */ one) => one.state !== "ok"), checks.filter((/** @type {any} */ one) => one.state === "ok")];
      fill(
        doctor,
        bad.length > 0 && h("ul.checks", null, bad.map(check)),
        h("details.fine", null, h("summary", null, icon("check"), h("span", null, tn("doctor.fine", good.length))), h("ul.checks", null, good.map(check))),
      );
    } catch (error) {
      if (isAbort(error)) return;
      fill(doctor, notice("help", sentence(error), detail(error)));
    }
  };
  // What is below the tiles appears when they have their size, so that nothing jumps.
  const below = () => signal.aborted || columns.isConnected || root.append(columns);
  watch(facts, versions, signal, below).catch((error) => {
    below();
    if (!isAbort(error)) fail(error);
  });
  await examine();
}

/** @param {HTMLElement} facts @param {HTMLElement} versions @param {AbortSignal} signal @param {() => any} drawn */
async function watch(facts, versions, signal, drawn) {
  for (;;) {
    if (!document.hidden) {
      const status = await get("status", {}, signal);
      fill(facts, tiles(status).map(([label, value, more, tone]) => h(`div.tile${tone ? `.${tone}` : ""}`, null, h("span.quiet", null, label), h("strong", null, value), h("span.quiet", null, more || "\u00a0"))));
      fill(versions, details(status).filter(([, value]) => value).map(([label, value]) => [h("dt", null, label), h("dd", null, value)]));
      drawn();
    }
    await pause(LOOK_MS, signal);
  }
}

/** @param {any} status @returns {[string, string, string, string][]} */
function tiles(status) {
  const counters = status.counters ?? {};
  const trained = status.trained;
  const sightings = status.sightings;
  return [
    [t("health.state"), trained ? t("health.ready") : t("health.untrained"), t("health.since", { time: duration(status.uptime_s ?? 0) }), trained ? "good" : "fair"],
    [t("health.people"), number((status.model?.classes ?? []).filter((/** @type {string} */ one) => one !== "Unknown").length), status.model?.classifier ?? "", ""],
    [t("health.latency"), status.p50_ms === null || status.p50_ms === undefined ? "–" : `${number(Math.round(status.p50_ms))} ms`, status.p95_ms ? t("health.p95", { ms: number(Math.round(status.p95_ms)) }) : "", ""],
    [t("health.queue"), number(status.queue_depth ?? 0), t("health.queueOf", { n: number(status.queue_size ?? 0) }), (status.queue_depth ?? 0) > (status.queue_size ?? 1) / 2 ? "poor" : ""],
    [t("health.faces"), number(counters.faces ?? 0), tn("health.named", counters.named ?? 0), ""],
    [t("health.sightings"), sightings ? number(sightings.sightings ?? 0) : t("health.off"), sightings?.fault ?? (sightings ? tn("health.mb", Math.round(sightings.mb ?? 0)) : t("health.offHow")), sightings?.fault ? "poor" : ""],
  ];
}

/** @param {any} status @returns {[string, any][]} */
const details = (status) => [
  ["face_det", status.version],
  [t("health.gateway"), status.gateway?.version],
  [t("health.detector"), status.detector],
  [t("health.embedder"), status.embedder],
  [t("health.runtime"), status.runtime],
  [t("health.workers"), status.workers === undefined ? null : number(status.workers)],
  [t("health.cameras"), (status.gateway?.cameras ?? []).join(", ")],
  [t("health.stale"), status.stale],
];

const TONES = { ok: "good", warning: "fair" };

/** @param {{check: string, state: string, text: string, advice: string}} one */
function check({ check: name, state, text, advice }) {
  const tone = TONES[/** @type {keyof typeof TONES} */ (state)] ?? "poor";
  const words = h("span.unseen", null, state === "ok" ? t("doctor.ok") : t("doctor.bad"));
  return h(`li.${tone}`, null, icon(state === "ok" ? "check" : "warn"), h("div", null, h("strong", null, name), words, h("p.quiet", { lang: "en" }, text), advice && h("p", { lang: "en" }, advice)));
}

/** Backup, restore and clear. */
function keeping() {
  const seen = h("input", { type: "checkbox", id: "with-sightings", role: "switch" });
  const link = h("a.button.primary", { href: address("backup", { sightings: false }), download: "" }, icon("download"), h("span", null, t("backup.save")));
  seen.addEventListener("change", () => {
    link.href = address("backup", { sightings: seen.checked });
  });
  const file = h("input.unseen", { type: "file", accept: ".zip,application/zip" });
  const status = h("p.quiet", { role: "status" });
  file.addEventListener("change", async () => {
    const [zip] = file.files ?? [];
    file.value = "";
    if (!zip) return;
    const sure = await confirmed({ title: t("restore.title"), text: t("restore.text", { file: zip.name }), action: t("restore.do") });
    if (sure) await run(() => post("restore", new Blob([zip], { type: "application/zip" })), "restore.done");
  });
  const run = async (/** @type {() => Promise<any>} */ work, /** @type {string} */ done) => {
    status.textContent = t("working");
    try {
      await work();
      toast(t(done));
      forgetPeople();
    } catch (error) {
      fail(error);
    }
    status.textContent = "";
  };
  const clear = async () => {
    const sure = await confirmed({ title: t("clear.title"), text: t("clear.text"), action: t("clear.do"), typed: t("clear.word") });
    if (sure) await run(() => post("clear"), "clear.done");
  };
  return h(
    "section.card.stack",
    null,
    h("h2", null, t("backup.title")),
    h("p", null, t("backup.how")),
    h("label.switch", { for: "with-sightings" }, seen, h("span", null, t("backup.sightings"))),
    h("div.row", null, link, h("label.button", null, file, icon("upload"), h("span", null, t("restore.do"))), button({ icon: "trash", text: t("clear.do"), kind: "danger", click: clear })),
    status,
  );
}
