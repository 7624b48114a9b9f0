// How many jobs ended while nobody looked at this tab; its title says so until somebody does.
import { useSyncExternalStore } from "react";

let n_ended = 0;
const listeners = new Set<() => void>();

function set(n: number): void {
  n_ended = n;
  for (const listener of listeners) listener();
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) set(0);
});

/** Counts the end of a job, unless somebody looks at the tab. */
export function countEnd(): void {
  if (document.hidden) set(n_ended + 1);
}

export function useUnseenEnds(): number {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => n_ended,
  );
}
