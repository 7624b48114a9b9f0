// j and k move between the rows of a list; Enter opens, as on any link.
import { useMemo } from "react";
import { type Shortcut, useShortcuts, useShortcutsEnabled } from "./shortcuts";

function move(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")].filter(
    (row) => row.offsetParent !== null,
  );
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
  rows[next]?.focus();
}

export function useRowKeys(): void {
  const [enabled] = useShortcutsEnabled();
  const shortcuts = useMemo<Shortcut[]>(
    () => [
      { keys: "j", description: "Next row", run: () => move(1) },
      { keys: "k", description: "Previous row", run: () => move(-1) },
    ],
    [],
  );
  useShortcuts(shortcuts, enabled);
}
