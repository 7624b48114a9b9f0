// Keyboard shortcuts: single keys and two-key sequences, silent while somebody types.
import { useEffect, useSyncExternalStore } from "react";

export interface Shortcut {
  /** `n`, `?`, or a sequence: `g j`. */
  keys: string;
  description: string;
  run: () => void;
}

const KEY = "morpheus.shortcuts";
const SEQUENCE_MS = 900;
const listeners = new Set<() => void>();

/** Whether single-key shortcuts act; they can be switched off (WCAG 2.1.4). */
export function useShortcutsEnabled(): [boolean, (enabled: boolean) => void] {
  const enabled = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => localStorage.getItem(KEY) !== "off",
  );
  const set = (on: boolean) => {
    if (on) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, "off");
    for (const listener of listeners) listener();
  };
  return [enabled, set];
}

/** Somebody types, or a widget that has the focus needs the key itself. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable ||
    ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName) ||
    target.closest("[role=dialog],[role=alertdialog],[role=listbox],[role=menu]") !== null
  );
}

/** Acts on shortcuts for as long as the component is shown. */
export function useShortcuts(shortcuts: Shortcut[], enabled = true): void {
  useEffect(() => {
    if (!enabled) return;
    let first = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onKey = (event: KeyboardEvent) => {
      if (
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        event.defaultPrevented ||
        isTyping(event.target)
      ) {
        return;
      }
      const sequence = first ? `${first} ${event.key}` : event.key;
      clearTimeout(timer);
      const match =
        shortcuts.find(({ keys }) => keys === sequence) ?? shortcuts.find(({ keys }) => keys === event.key);
      first = "";
      if (match) {
        event.preventDefault();
        match.run();
      } else if (shortcuts.some(({ keys }) => keys.startsWith(`${event.key} `))) {
        first = event.key;
        timer = setTimeout(() => {
          first = "";
        }, SEQUENCE_MS);
      }
    };
    window.addEventListener("keydown", onKey);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("keydown", onKey);
    };
  }, [shortcuts, enabled]);
}
