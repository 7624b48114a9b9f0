// Which jobs ended without this browser having shown their result. What was seen is kept in the browser: somebody who
// works on two machines sees the result on each of them.
import { useSyncExternalStore } from "react";
import type { Job } from "~/api/types";

interface Seen {
  /** Jobs that ended before this browser came here are no news. */
  since: string;
  ids: string[];
}

const KEY = "morpheus.seen-jobs";
/** More than anybody leaves unseen. */
const MOST = 200;
const listeners = new Set<() => void>();
/** What is known, also in browsers that store nothing, and the text that it was read from. */
let seen: Seen | null = null;
let text: string | null = null;

/** Whether somebody wants to know of this phase at once. Nobody is told of a job that a person canceled. */
export function isNews(phase: Job["phase"]): boolean {
  return phase === "succeeded" || phase === "failed" || phase === "stopped";
}

/** What is kept now: other tabs write to it too. The same object as long as nobody has changed it. */
function read(): Seen {
  const kept = keptText();
  if (seen && kept === text) return seen;
  const parsed = parse(kept);
  if (parsed) {
    seen = parsed;
    text = kept;
    return seen;
  }
  return write(seen ?? { since: new Date().toISOString(), ids: [] });
}

function keptText(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    // It holds until the page is reloaded.
    return text;
  }
}

function parse(kept: string | null): Seen | null {
  try {
    const { since, ids } = JSON.parse(kept ?? "null") as Seen;
    return typeof since === "string" ? { since, ids: ids.filter((id) => typeof id === "string") } : null;
  } catch {
    // What cannot be read is as good as nothing.
    return null;
  }
}

function write(next: Seen): Seen {
  seen = next;
  text = JSON.stringify(next);
  try {
    localStorage.setItem(KEY, text);
  } catch {
    // It holds until it is reloaded.
    text = keptText();
  }
  for (const listener of listeners) listener();
  return next;
}

/** The jobs whose result this browser has not shown, the newest first. */
export function justFinished(jobs: Job[], { since, ids }: Seen): Job[] {
  return jobs
    .filter(
      ({ id, phase, ended_at }) =>
        isNews(phase) && ended_at != null && Date.parse(ended_at) > Date.parse(since) && !ids.includes(id),
    )
    .sort((a, b) => Date.parse(b.ended_at ?? "") - Date.parse(a.ended_at ?? ""));
}

/** Takes a job that has ended off the list. */
export function markSeen(id: string): void {
  const { since, ids } = read();
  if (!ids.includes(id)) write({ since, ids: [...ids, id].slice(-MOST) });
}

/** Puts a job on the list again when it ends once more, as a resumed one does. */
export function markUnseen(id: string): void {
  const { since, ids } = read();
  if (ids.includes(id)) write({ since, ids: ids.filter((one) => one !== id) });
}

/** What this browser has shown. */
export function useSeen(): Seen {
  return useSyncExternalStore(subscribe, read);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  // Of what other tabs write.
  window.addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", listener);
  };
}

/** Forgets what was seen, as a browser that was never here. */
export function forgetSeen(): void {
  seen = null;
  text = null;
  localStorage.removeItem(KEY);
}
