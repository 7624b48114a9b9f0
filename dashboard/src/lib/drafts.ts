// What was typed and not sent yet, kept in the browser: it survives leaving a page, reloading, and signing in again.

/** All of it begins with this in localStorage. */
const PREFIX = "morpheus.draft.";
/** The names of captions begin with this. */
export const CAPTIONS = "caption:";
/** Nobody comes back to it later. */
const LIFE_MS = 30 * 24 * 3600 * 1000;
/** Beyond these, the oldest go. */
const MOST = 2000;

export interface Draft {
  /** When it was typed, in milliseconds. */
  at: number;
  value: unknown;
}

/** What is kept under a name. */
export function readDraft(name: string): Draft | null {
  return read(PREFIX + name);
}

/** Keeps it; false where the browser keeps nothing, or has no room left. */
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
    // There was none, then.
  }
}

/** The names of all that begin with this. */
export function draftsOf(beginning: string): string[] {
  return keys()
    .filter((key) => key.startsWith(PREFIX + beginning))
    .map((key) => key.slice(PREFIX.length));
}

/** The name that a key of localStorage stands for; null for what is no draft. */
export function draftName(key: string): string | null {
  return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : null;
}

/** Takes away what forms keep, for whoever uses the browser next. Captions stay: they are not saved yet. */
export function dropForms(): void {
  for (const name of draftsOf("")) if (!name.startsWith(CAPTIONS)) dropDraft(name);
}

/** Takes away what is too old, or unreadable, or too much. */
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
