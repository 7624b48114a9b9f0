// Unsent input, stored in the browser: it survives leaving a page, reloading, and signing in again.

/** Key prefix in localStorage. */
const PREFIX = "morpheus.draft.";
/** Name prefix of captions. */
export const CAPTIONS = "caption:";
/** Older drafts are deleted. */
const LIFE_MS = 30 * 24 * 3600 * 1000;
/** Maximum number; the oldest are deleted. */
const MOST = 2000;

export interface Draft {
  /** When it was typed, in milliseconds. */
  at: number;
  value: unknown;
}

/** Reads a draft. */
export function readDraft(name: string): Draft | null {
  return read(PREFIX + name);
}

/** Stores a draft; false if the browser cannot store it. */
export function keepDraft(name: string, value: unknown, at = Date.now()): boolean {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify({ at, value } satisfies Draft));
    return true;
  } catch {
    return false;
  }
}

export function dropDraft(name: string): void {
  try {
    localStorage.removeItem(PREFIX + name);
  } catch {
    // Nothing was stored then.
  }
}

/** All names with this prefix. */
export function draftsOf(beginning: string): string[] {
  return keys()
    .filter((key) => key.startsWith(PREFIX + beginning))
    .map((key) => key.slice(PREFIX.length));
}

/** The draft name of a localStorage key; null if it is not a draft. */
export function draftName(key: string): string | null {
  return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : null;
}

/** Deletes form drafts, to protect them from the next user of the browser. Unsaved captions are kept. */
export function dropForms(): void {
  for (const name of draftsOf("")) if (!name.startsWith(CAPTIONS)) dropDraft(name);
}

/** Deletes drafts that are too old, unreadable or too many. */
export function sweepDrafts(now = Date.now()): void {
  const found = keys()
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => ({ name: key.slice(PREFIX.length), at: read(key)?.at ?? 0 }))
    .sort((a, b) => b.at - a.at);
  for (const [index, { name, at }] of found.entries()) {
    if (index >= MOST || now - at > LIFE_MS) dropDraft(name);
  }
}

function keys(): string[] {
  try {
    return Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index) ?? "");
  } catch {
    return [];
  }
}

function read(key: string): Draft | null {
  try {
    const draft: unknown = JSON.parse(localStorage.getItem(key) ?? "null");
    const isDraft = typeof draft === "object" && draft !== null && "at" in draft && "value" in draft;
    return isDraft && typeof draft.at === "number" ? { at: draft.at, value: draft.value } : null;
  } catch {
    return null;
  }
}
