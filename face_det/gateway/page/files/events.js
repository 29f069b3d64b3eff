/** Tells of what happens: as the gateway streams it or, where it does not, by asking again. */

import { address } from "./api.js";

const TYPES = ["seen", "heard", "visit_began", "visit_ended", "named", "corrected", "enrolled", "forgotten", "trained"];
const POLL_MS = 8000;

/**
 * Calls `happened` with the type of each event, and with "poll" now and then where events don't come.
 * @param {(type: string, event: any) => any} happened @param {AbortSignal} signal
 */
export function listen(happened, signal) {
  /** @type {any} */
  let timer;
  const source = new EventSource(address("events"));
  const poll = () => {
    timer = setInterval(() => document.hidden || happened("poll", null), POLL_MS);
  };
  for (const type of TYPES) {
    source.addEventListener(type, (event) => {
      try {
        happened(type, JSON.parse(event.data));
      } catch {
        happened(type, null);
      }
    });
  }
  source.addEventListener("error", () => {
    // A browser tries again by itself unless the answer was no stream at all.
    if (source.readyState === EventSource.CLOSED && !timer) poll();
  });
  signal.addEventListener(
    "abort",
    () => {
      source.close();
      clearInterval(timer);
    },
    { once: true },
  );
}
