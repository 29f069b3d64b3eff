/** Has the browser ask before the page is left while it still has something to do. */

let busy = 0;

const ask = (/** @type {BeforeUnloadEvent} */ event) => event.preventDefault();

/** From now on the browser asks, until the function is called that this returns. */
export function holdPage() {
  if (busy === 0) addEventListener("beforeunload", ask);
  busy += 1;
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    busy -= 1;
    if (busy === 0) removeEventListener("beforeunload", ask);
  };
}
