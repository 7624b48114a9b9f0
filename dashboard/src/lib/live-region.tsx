// Tells screen readers what changed: changes of phase, not every step.
import { useSyncExternalStore } from "react";

let message = "";
const listeners = new Set<() => void>();

export function speak(text: string): void {
  message = text;
  for (const listener of listeners) listener();
}

export function LiveRegion() {
  const text = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => message,
  );
  return (
    <div role="status" aria-live="polite" className="sr-only">
      {text}
    </div>
  );
}
