// Saves captions without losing any: typed text is kept in the browser until the server has saved it. It is retried
// while the server cannot be reached, even after a reload; if somebody else has changed the caption in the meantime,
// both are shown.
import { ProblemError } from "~/api/problem";
import { CAPTIONS, draftName, draftsOf, dropDraft, keepDraft, readDraft } from "~/lib/drafts";

/** A picture of a dataset. */
export interface Place {
  dataset: string;
  item: string;
}

export type State =
  /** Being typed; not sent yet. */
  | { kind: "typing" }
  | { kind: "saving" }
  /** The server could not be reached; it will be retried. */
  | { kind: "waiting" }
  | { kind: "refused"; reason: string }
  /** Somebody else has changed the caption in the meantime, to this one. */
  | { kind: "conflict"; current: string }
  | { kind: "saved" }
  /** Undone by the user; this was typed. */
  | { kind: "reverted"; typed: string };

/** The typed caption of a picture. */
export interface Entry extends Place {
  text: string;
  /** The server's caption that it replaces. */
  base: string;
  state: State;
  /** Whether the browser stores it until it is saved. */
  isKept: boolean;
}

/** What the saver needs from outside. */
export interface Outside {
  send: (place: Place, caption: string, expected: string) => Promise<unknown>;
  /** Called when the server's caption has changed to this one. */
  onSaved: (place: Place, caption: string) => void;
  /** The session has ended. */
  onSignedOut: () => void;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** Text that was being typed when a page closed may continue in another tab. */
const ABANDONED_MS = 5_000;

export class CaptionSaver {
  readonly #outside: Outside;
  readonly #listeners = new Set<() => void>();
  #entries = new Map<string, Entry>();
  #shown: readonly Entry[] = [];
  /** Running requests; true if the text must be sent again when they end. */
  readonly #running = new Map<string, boolean>();
  #pause_ms = FIRST_PAUSE_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(outside: Outside) {
    this.#outside = outside;
  }

  /** Restores drafts of an earlier page, and listens to the window; returns a function that stops it. */
  start(): () => void {
    for (const name of draftsOf(CAPTIONS)) this.#adopt(name);
    const again = () => this.retry();
    const onStorage = (event: StorageEvent) => this.#onStorage(event);
    const onLeave = (event: BeforeUnloadEvent) => {
      if (this.#shown.some((entry) => isUnsaved(entry) && !entry.isKept)) event.preventDefault();
    };
    window.addEventListener("online", again);
    window.addEventListener("storage", onStorage);
    window.addEventListener("beforeunload", onLeave);
    this.retry();
    return () => {
      window.removeEventListener("online", again);
      window.removeEventListener("storage", onStorage);
      window.removeEventListener("beforeunload", onLeave);
      clearTimeout(this.#timer);
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly get = (item: string): Entry | undefined => this.#entries.get(item);

  /** All of them, as long as nothing changes the same list. */
  readonly all = (): readonly Entry[] => this.#shown;

  /** Sets the text; `saved` is the server's caption. */
  type(place: Place, text: string, saved: string): void {
    const before = this.#entries.get(place.item);
    const isGoingOn = before !== undefined && isUnsaved(before);
    const state: State = before?.state.kind === "conflict" ? before.state : { kind: "typing" };
    this.#put({ ...place, text, base: isGoingOn ? before.base : saved, state, isKept: true }, false);
  }

  /** The field lost focus: the text is final. */
  leave({ item }: Place): void {
    const entry = this.#entries.get(item);
    if (entry?.state.kind !== "typing") return;
    if (entry.text.trim() === entry.base && !this.#running.has(item)) this.#forget(item);
    else void this.#save(item);
  }

  /** Undoes a change; `restore` redoes it. */
  revert({ item }: Place): void {
    const entry = this.#entries.get(item);
    if (!entry || !isUnsaved(entry) || entry.text.trim() === entry.base) return;
    drop(entry);
    this.#set({ ...entry, text: entry.base, state: { kind: "reverted", typed: entry.text } });
  }

  restore(place: Place): void {
    const entry = this.#entries.get(place.item);
    if (entry?.state.kind !== "reverted") return;
    this.type(place, entry.state.typed, entry.base);
    this.leave(place);
  }

  /** Overwrites the other person's caption. */
  keepMine({ item }: Place): void {
    const entry = this.#entries.get(item);
    if (entry?.state.kind !== "conflict") return;
    this.#put({ ...entry, base: entry.state.current, state: { kind: "typing" } }, true);
    void this.#save(item);
  }

  /** Discards the typed text in favor of the other person's. */
  takeTheirs({ item }: Place): void {
    const entry = this.#entries.get(item);
    if (entry?.state.kind !== "conflict") return;
    const { current } = entry.state;
    this.#forget(item);
    this.#outside.onSaved(entry, current);
  }

  /** Discards the typed text. */
  discard({ item }: Place): void {
    this.#forget(item);
  }

  /** Sends pending captions immediately. */
  retry(): void {
    clearTimeout(this.#timer);
    for (const { item, state } of this.#shown) if (state.kind === "waiting") void this.#save(item);
  }

  async #save(item: string): Promise<void> {
    if (this.#running.has(item)) {
      this.#running.set(item, true);
      return;
    }
    const entry = this.#entries.get(item);
    if (!entry) return;
    const text = entry.text.trim();
    this.#put({ ...entry, state: { kind: "saving" } }, true);
    this.#running.set(item, false);
    let failure: { error: unknown } | undefined;
    try {
      await this.#outside.send(entry, text, entry.base);
    } catch (error) {
      failure = { error };
    }
    const again = this.#running.get(item);
    this.#running.delete(item);
    if (failure) this.#onFailure(item, failure.error);
    else this.#onSaved(entry, text);
    if (again && !failure) void this.#save(item);
  }

  #onSaved(sent: Entry, text: string): void {
    this.#pause_ms = FIRST_PAUSE_MS;
    this.#outside.onSaved(sent, text);
    const entry = this.#entries.get(sent.item);
    if (!entry || entry.state.kind === "reverted") return;
    if (entry.text.trim() !== text) {
      // Typing continued.
      this.#put({ ...entry, base: text }, false);
      return;
    }
    drop(entry);
    this.#set({ ...entry, text, base: text, state: { kind: "saved" } });
  }

  #onFailure(item: string, error: unknown): void {
    const entry = this.#entries.get(item);
    if (!entry) return;
    const state = afterFailure(error);
    this.#set({ ...entry, state });
    if (state.kind !== "waiting") return;
    // After signing in again, the page is reloaded.
    if (error instanceof ProblemError && error.problem.status === 401) {
      this.#outside.onSignedOut();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.retry(), this.#pause_ms);
    this.#pause_ms = Math.min(this.#pause_ms * 2, LONGEST_PAUSE_MS);
  }

  #adopt(name: string): void {
    const found = parse(name, readDraft(name)?.value);
    if (!found) {
      dropDraft(name);
      return;
    }
    const { entry, isLeft } = found;
    if (this.#entries.has(entry.item)) return;
    this.#set(isLeft ? { ...entry, state: { kind: "waiting" } } : entry);
    if (isLeft) return;
    const seen = readDraft(name)?.at;
    setTimeout(() => {
      if (readDraft(name)?.at === seen) this.leave(entry);
    }, ABANDONED_MS);
  }

  /** Another tab has typed, or saved. */
  #onStorage({ key, newValue, oldValue }: StorageEvent): void {
    const name = key && draftName(key);
    const entry = this.#shown.find((one) => name === nameOf(one));
    if (!name || !entry || !isUnsaved(entry)) return;
    if (newValue === null) {
      const before = parse(name, storedValue(oldValue))?.entry;
      if (before?.text.trim() === entry.text.trim() && !this.#running.has(entry.item))
        this.#forget(entry.item);
    } else if (
      parse(name, storedValue(newValue))?.entry.text !== entry.text &&
      entry.state.kind === "typing"
    ) {
      // The browser stores only one of them: this one is sent to the server, and the other tab is notified.
      void this.#save(entry.item);
    }
  }

  #put(entry: Entry, isLeft: boolean): void {
    const { text, base } = entry;
    this.#set({ ...entry, isKept: keepDraft(nameOf(entry), { text, base, isLeft }) });
  }

  #forget(item: string): void {
    const entry = this.#entries.get(item);
    if (!entry) return;
    drop(entry);
    this.#entries.delete(item);
    this.#tell();
  }

  #set(entry: Entry): void {
    this.#entries.set(entry.item, entry);
    this.#tell();
  }

  #tell(): void {
    this.#shown = [...this.#entries.values()];
    for (const listener of this.#listeners) listener();
  }
}

/** Whether it is not saved on the server yet. */
export function isUnsaved({ state }: Entry): boolean {
  return state.kind !== "saved" && state.kind !== "reverted";
}

/** State of a text that the server rejected. */
function afterFailure(error: unknown): State {
  if (!(error instanceof ProblemError)) return { kind: "waiting" };
  const { status, current } = error.problem;
  if (status === 412 && typeof current === "string") return { kind: "conflict", current };
  if (status >= 500 || [401, 408, 425, 429].includes(status)) return { kind: "waiting" };
  return { kind: "refused", reason: error.fields.caption ?? error.message };
}

/** Deletes its draft, unless another tab has typed for the same picture since. */
function drop(entry: Entry): void {
  const name = nameOf(entry);
  const kept = parse(name, readDraft(name)?.value)?.entry.text;
  if (kept === undefined || kept.trim() === entry.text.trim()) dropDraft(name);
}

function nameOf({ dataset, item }: Place): string {
  return `${CAPTIONS}${dataset}:${item}`;
}

function parse(name: string, value: unknown): { entry: Entry; isLeft: boolean } | null {
  const [, dataset, item] = name.split(":");
  if (!dataset || !item || typeof value !== "object" || value === null) return null;
  const { text, base, isLeft } = value as Record<string, unknown>;
  if (typeof text !== "string" || typeof base !== "string") return null;
  return {
    entry: { dataset, item, text, base, state: { kind: "typing" }, isKept: true },
    isLeft: isLeft === true,
  };
}

/** The value of a draft as `storage` events have it. */
function storedValue(stored: string | null): unknown {
  try {
    return (JSON.parse(stored ?? "null") as { value?: unknown } | null)?.value;
  } catch {
    return null;
  }
}
