/** The fields for what to try. An empty one means what the configuration says. */

import { h } from "./dom.js";
import { t } from "./strings.js";

/**
 * @param {{parameters: Record<string, string>, choices: Record<string, string[]>, configured: Record<string, string>}} info
 * @param {(values: Record<string, string>) => any} tried called with what is to be tried, by the keys of config.json
 */
export function parameterForm({ parameters, choices, configured }, tried) {
  /** @type {[string, any][]} */
  const inputs = Object.keys(configured).map((key) => [key, field(key, parameters[key] ?? "", choices[key], configured[key])]);
  const read = () => {
    const filled = inputs.map(([key, input]) => [key, input.value.trim().replace(",", ".")]).filter(([, value]) => value !== "");
    return tried(Object.fromEntries(filled));
  };
  const form = h("form.parameters", null,
    inputs.map(([key, input]) => h("div.field", null, h("label", { for: input.id }, t(`frames.key.${key}`)), input.tagName === "SELECT" ? h("div.select", null, input) : input)),
    h("button.button", { type: "submit" }, t("frames.apply")));
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    read();
  });
  for (const [, input] of inputs) if (input.tagName === "SELECT") input.addEventListener("change", read);
  return form;
}

/** @param {string} key @param {string} value @param {string[] | undefined} options @param {string} configured */
function field(key, value, options, configured) {
  const id = `parameter-${key}`;
  if (!options?.length) return h("input", { id, type: "text", inputmode: "decimal", autocomplete: "off", value, placeholder: configured });
  return h("select", { id },
    h("option", { value: "" }, t("frames.configured", { value: configured })),
    options.map((one) => h("option", { value: one, selected: one === value }, one)));
}
