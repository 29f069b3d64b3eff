// Runs before the first paint, so that no other theme or language flashes than the reader's.
(() => {
  const { dataset } = document.documentElement;
  let chosen;
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") dataset.theme = theme;
    chosen = localStorage.getItem("language");
  } catch {
    // Storage may be forbidden, as in a private window.
  }
  const there = dataset.languages.split(" ");
  const wanted = [chosen, ...(navigator.languages ?? [navigator.language])].map((one) => (one ?? "").slice(0, 2));
  const language = wanted.find((one) => there.includes(one)) ?? "en";
  document.documentElement.lang = language;
  // The words are asked for along with the scripts.
  const words = document.createElement("link");
  words.rel = "preload";
  words.as = "fetch";
  words.crossOrigin = "";
  words.href = new URL(`strings/${language}.json`, document.currentScript.src).href;
  document.head.append(words);
})();
