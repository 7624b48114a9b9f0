// A form's values that survive leaving the page, reloading it and signing in again.
import { useCallback, useRef, useState } from "react";
import { dropDraft, keepDraft, readDraft } from "./drafts";

export interface FormDraft<T> {
  values: T;
  change: (some: Partial<T>) => void;
  /** They were typed before this page was opened: when, in milliseconds. */
  restoredFrom: number | null;
  /** They are not those that the form begins with. */
  isChanged: boolean;
  /** Goes back to what the form begins with. */
  discard: () => void;
  /** What was typed was sent: the next form begins anew, and this one shows what it shows. */
  done: () => void;
}

interface Options<T> {
  /** Leaves out what must not lie in the browser. */
  toKeep?: (values: T) => T;
  /** What the page was opened for is added to what was kept. */
  arrive?: (values: T) => T;
}

/** Keeps a form's values under its name. */
export function useDraft<T extends object>(
  name: string,
  initial: () => T,
  options: Options<T> = {},
): FormDraft<T> {
  const given = useRef({ initial, ...options });
  given.current = { initial, ...options };
  const [restored] = useState(() => readDraft(name));
  const [values, setValues] = useState<T>(() => {
    const begun = revived(initial(), restored?.value);
    return options.arrive?.(begun) ?? begun;
  });
  const [restoredFrom, setRestoredFrom] = useState(restored?.at ?? null);
  const [isChanged, setChanged] = useState(restored !== null);
  // Two changes may come before the next render.
  const latest = useRef(values);
  const change = useCallback(
    (some: Partial<T>) => {
      latest.current = { ...latest.current, ...some };
      setValues(latest.current);
      setChanged(true);
      keepDraft(name, given.current.toKeep?.(latest.current) ?? latest.current);
    },
    [name],
  );
  const done = useCallback(() => {
    dropDraft(name);
    setChanged(false);
    setRestoredFrom(null);
  }, [name]);
  const discard = useCallback(() => {
    done();
    latest.current = given.current.initial();
    setValues(latest.current);
  }, [done]);
  return { values, change, restoredFrom, isChanged, discard, done };
}

/** What a form begins with, with what was kept of it: fields of the same kind, and no others. */
export function revived<T extends object>(initial: T, kept: unknown): T {
  if (typeof kept !== "object" || kept === null) return initial;
  const fields = Object.entries(kept).filter(([field, value]) => {
    const known = (initial as Record<string, unknown>)[field];
    if (!(field in initial)) return false;
    if (known === null || value === null) return known === null || value === null;
    return typeof value === typeof known && Array.isArray(value) === Array.isArray(known);
  });
  return { ...initial, ...Object.fromEntries(fields) };
}
