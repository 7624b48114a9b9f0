// One key for each thing to create. A form that is sent again because no response came (double click,
// lost connection, reload) is sent with the same key, and the server creates only one thing.
import type { Middleware } from "openapi-fetch";
import type { paths } from "./schema";

const HEADER = "Idempotency-Key";
const STORAGE = "morpheus.submissions";
/** The server deletes keys after a week. */
const LIFE_MS = 6 * 24 * 3600 * 1000;
const MOST = 50;

/** Routes of this page that accept a key, by the API description. */
type KeyedPath = {
  [Path in keyof paths & `/api/${string}`]: paths[Path] extends {
    post: { parameters: { header?: infer Header } };
  }
    ? [NonNullable<Header>] extends [never]
      ? never
      : Path
    : never;
}[keyof paths & `/api/${string}`];

/** A missing route is a type error. */
const KEYED: Record<KeyedPath, true> = {
  "/api/v1/caption-endpoints": true,
  "/api/v1/caption-endpoints/{id}/tests": true,
  "/api/v1/datasets": true,
  "/api/v1/datasets/demo": true,
  "/api/v1/datasets/{id}/caption-edits": true,
  "/api/v1/datasets/{id}/caption-edits/{edit_id}/undo": true,
  "/api/v1/datasets/{id}/items/{item_id}/panels": true,
  "/api/v1/datasets/{id}/caption-runs": true,
  "/api/v1/datasets/{id}/caption-runs/{run_id}/accept": true,
  "/api/v1/drawing-sessions": true,
  "/api/v1/edits": true,
  "/api/v1/generations": true,
  "/api/v1/jobs": true,
  "/api/v1/jobs/{id}/checkpoint": true,
  "/api/v1/jobs/{id}/resume": true,
  "/api/v1/jobs/{id}/sample": true,
  "/api/v1/jobs/{id}/versions": true,
  "/api/v1/mail/tests": true,
  "/api/v1/own-presets": true,
  "/api/v1/registered-base-models": true,
  "/api/v1/tokens": true,
  "/api/v1/webhooks": true,
  "/api/v1/webhooks/{id}/tests": true,
};

interface Sent {
  key: string;
  at: number;
}

type Unanswered = Record<string, Sent>;

/** Unanswered requests, in browsers that store nothing. */
let inMemory: Unanswered = {};

/** Sends creating requests with a key, the same one until a response came. */
export const submissions: Middleware = {
  async onRequest({ request, schemaPath }) {
    if (request.method !== "POST" || !(schemaPath in KEYED)) return undefined;
    const body = await request.text();
    const headers = new Headers(request.headers);
    headers.set(HEADER, keyOf(intention(request.url, body)));
    // Not a clone: its body would be a stream, which has no length and is only supported by recent browsers.
    return new Request(request, { headers, body: body === "" ? null : body });
  },
  async onResponse({ request, response }) {
    const key = request.headers.get(HEADER);
    if (key !== null && isAnswer(response.status)) forget(key);
    return undefined;
  },
};

/** It succeeded or failed finally: the next request gets a new key. */
function isAnswer(status: number): boolean {
  return status < 500 && ![401, 408, 425, 429].includes(status);
}

/** What is asked for, apart from what was seen of it: with other prices it is still the same job. The server refuses
 * the key then if it has made the first one. */
function intention(url: string, body: string): string {
  const asked = body.replace(/"estimate_hash":"[^"]*"/, "");
  return fingerprint(`${new URL(url).pathname}\n${asked}`);
}

function keyOf(intention: string): string {
  const now = Date.now();
  const all = Object.entries(read()).filter(([, { at }]) => now - at < LIFE_MS);
  const known = all.find(([of]) => of === intention)?.[1];
  if (known) return known.key;
  const made = { key: newKey(), at: now };
  const newest = all.sort(([, a], [, b]) => b.at - a.at).slice(0, MOST - 1);
  write(Object.fromEntries([...newest, [intention, made]]));
  return made.key;
}

function forget(key: string): void {
  write(Object.fromEntries(Object.entries(read()).filter(([, sent]) => sent.key !== key)));
}

function read(): Unanswered {
  try {
    const all: unknown = JSON.parse(localStorage.getItem(STORAGE) ?? "{}");
    if (typeof all === "object" && all !== null) return { ...(all as Unanswered), ...inMemory };
  } catch {
    // Only the copy in memory is used then.
  }
  return inMemory;
}

function write(all: Unanswered): void {
  try {
    localStorage.setItem(STORAGE, JSON.stringify(all));
    inMemory = {};
  } catch {
    inMemory = all;
  }
}

/** A random UUID. `crypto.randomUUID` is missing where the server is reached over plain HTTP. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-8$4-$5");
}

/** 53 bits of a text (cyrb53, public domain): the server compares whole requests, so that two of one fingerprint are
 * refused, not mistaken for each other. */
function fingerprint(text: string): string {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(36);
}
