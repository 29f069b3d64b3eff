/** Calls /api/v1. Everything goes through here: the token for changes, waiting, and what to do if nobody answers. */

import { t } from "./strings.js";

/**
 * @typedef {{xmin: number, ymin: number, xmax: number, ymax: number}} Box
 * @typedef {{face: string | null, faceProba?: number, faceReason?: string, faceExplanation?: string, faceBox: Box,
 *   outcome?: string, candidates?: {name: string, proba: number}[], quality?: number, sizePx?: number,
 *   sharpness?: number, qualityParts?: Record<string, number | null>, track?: number, note?: string}} Face
 * @typedef {{name: string, images: number, recordings?: number, cover?: string | null, quality?: number | null, lookAlikes?: any[]}} Person
 */

const ROOT = new URL("api/v1/", document.baseURI);
const MOST_WAITS = 6;
const RECOVERY_MS = 2000;

/** Tells of "down", "up" and "login". */
export const connection = new EventTarget();

let csrf = "";
let down = false;

export class ApiError extends Error {
  /** @param {number} status @param {string} code @param {string} detail */
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }

  /** Nothing answers such a request: an older gateway, or a part that is not there. */
  get missing() {
    return [404, 405, 501].includes(this.status) && !this.code.startsWith("Unknown");
  }
}

/**
 * Returns the address of something, for an <img> or a link.
 * @param {string} path @param {Record<string, any>} [query]
 */
export function address(path, query = {}) {
  const url = new URL(path, ROOT);
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(key, String(value));
  }
  return url.href;
}

/** @param {string} part a name that becomes a part of a path */
export const part = (part) => encodeURIComponent(part);

/** Asks whether to log in, and for the token of changes. */
export async function loadSession() {
  try {
    const session = await send("GET", "session");
    csrf = session.csrf ?? "";
    document.documentElement.classList.toggle("logged-in", session.required && session.authenticated);
    return session;
  } catch (error) {
    if (error instanceof ApiError && error.missing) return { authenticated: true, required: false };
    throw error;
  }
}

/** Ends the session. */
export async function logOut() {
  await post("logout");
  await loadSession();
  connection.dispatchEvent(new Event("login"));
}

/**
 * @param {string} path @param {Record<string, any>} [query] @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export const get = (path, query, signal) => send("GET", path, { query, signal });

/** @param {string} path @param {any} [body] @returns {Promise<any>} */
export const post = (path, body) => send("POST", path, { body });

/** @param {string} path @param {any} [body] @returns {Promise<any>} */
export const put = (path, body) => send("PUT", path, { body });

/** @param {string} path @returns {Promise<any>} */
export const remove = (path) => send("DELETE", path);

/**
 * Sends a picture.
 * @param {string} path @param {Blob} picture @param {Record<string, any>} [query] @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export function upload(path, picture, query, signal) {
  const form = new FormData();
  form.append("image", picture, picture instanceof File ? picture.name : "frame.jpg");
  for (const [key, value] of Object.entries(query ?? {})) form.append(key, String(value));
  return send("POST", path, { body: form, query, signal });
}

/**
 * @param {string} method @param {string} path
 * @param {{query?: Record<string, any>, body?: any, signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
async function send(method, path, options = {}) {
  for (let waits = 0; ; waits += 1) {
    const response = await request(method, path, options);
    if (response.status === 429 && waits < MOST_WAITS && path !== "login") {
      await pause(1000 * (Number(response.headers.get("Retry-After")) || 1), options.signal);
      continue;
    }
    if (response.status === 403 && method !== "GET" && waits === 0 && path !== "login") {
      // The token is renewed when somebody logs in elsewhere or the gateway restarts.
      await loadSession();
      continue;
    }
    return answer(response, path);
  }
}

/** @param {string} method @param {string} path @param {any} options */
async function request(method, path, { query, body, signal }) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  const bare = body === undefined || body instanceof FormData || body instanceof Blob;
  if (!bare) headers["Content-Type"] = "application/json";
  try {
    return await fetch(address(path, query), {
      method,
      headers,
      body: bare ? body : JSON.stringify(body),
      signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    lose();
    throw new ApiError(503, "Unreachable", t("error.unreachable"));
  }
}

/** @param {Response} response @param {string} path */
async function answer(response, path) {
  if (response.status === 503) {
    lose();
    throw new ApiError(503, "Unreachable", t("error.unreachable"));
  }
  if (response.status === 401 && path !== "login") connection.dispatchEvent(new Event("login"));
  const kind = response.headers.get("Content-Type") ?? "";
  const value = kind.includes("json") ? await response.json() : response.status === 204 ? null : await response.blob();
  if (response.ok) return value;
  throw new ApiError(response.status, value?.code ?? "", value?.detail ?? response.statusText);
}

/** @param {number} ms @param {AbortSignal} [signal] */
export const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("left", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve(undefined);
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });

/** Says that nobody answers, and asks until somebody does. */
async function lose() {
  if (down) return;
  down = true;
  connection.dispatchEvent(new Event("down"));
  while (down) {
    await pause(RECOVERY_MS);
    try {
      const response = await fetch(address("status"), { headers: { Accept: "application/json" } });
      down = response.status === 503 || response.status >= 502;
    } catch {
      down = true;
    }
  }
  connection.dispatchEvent(new Event("up"));
}

/** True for what happens when a view is left while it waits. @param {unknown} error */
export const isAbort = (error) => error instanceof DOMException && error.name === "AbortError";
