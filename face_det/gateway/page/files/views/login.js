/** Logs in, where the gateway has a password. */

import { ApiError, loadSession, post } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { sentence } from "../problems.js";
import { go } from "../router.js";
import { t } from "../strings.js";

/** @param {import("../router.js").Place} place */
export async function show({ root, query }) {
  const password = h("input", { type: "password", id: "password", name: "password", autocomplete: "current-password", required: true });
  const wrong = h("p.wrong", { role: "alert" });
  const enter = h("button.button.primary", { type: "submit" }, t("login.enter"));
  const form = h("form.card.login", null, h("div.badge", null, icon("live")), h("h1", null, t("login.title")), h("div.field", null, h("label", { for: "password" }, t("login.password")), password), wrong, enter);
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    enter.setAttribute("aria-busy", "true");
    wrong.textContent = "";
    try {
      await post("login", { password: password.value });
      await loadSession();
      go(query.get("then") ?? "");
    } catch (error) {
      wrong.textContent = error instanceof ApiError && [401, 403].includes(error.status) ? t("login.wrong") : sentence(error);
      password.select();
    } finally {
      enter.removeAttribute("aria-busy");
    }
  });
  fill(root, form);
  password.focus();
}
