// The selection of pictures, and its keys: Ctrl or Cmd with A takes all that are shown, Escape takes none.
import { type MouseEvent, useCallback, useEffect, useMemo, useState } from "react";
import type { Item } from "~/api/types";
import { isTyping } from "~/lib/shortcuts";
import { extended, NOTHING, type Selection, toggled, withAll } from "./selection";

export function useSelection(items: readonly Item[], shown: readonly Item[]) {
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const order = useMemo(() => shown.map(({ id }) => id), [shown]);
  const selected = useMemo(
    () => (selection.ids.size === 0 ? [] : items.filter(({ id }) => selection.ids.has(id))),
    [items, selection],
  );
  const click = useCallback(
    (id: string, event: MouseEvent) =>
      setSelection((before) => (event.shiftKey ? extended(before, id, order) : toggled(before, id))),
    [order],
  );
  const all = useCallback(() => setSelection((before) => withAll(before, order)), [order]);
  const none = useCallback(() => setSelection(NOTHING), []);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || isTypedInto(event.target)) return;
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "a") {
        event.preventDefault();
        all();
      } else if (event.key === "Escape") {
        none();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [all, none]);
  return { ids: selection.ids, selected, click, all, none };
}

/** A checkbox takes no text: its keys are the selection's. */
function isTypedInto(target: EventTarget | null): boolean {
  const isBox = target instanceof HTMLInputElement && target.type === "checkbox";
  return isBox ? target.closest("[role=dialog]") !== null : isTyping(target);
}
