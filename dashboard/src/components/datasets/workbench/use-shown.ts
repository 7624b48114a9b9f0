// The pictures that the workbench shows.
import { useMemo, useRef, useSyncExternalStore } from "react";
import type { Item } from "~/api/types";
import { useCaptions } from "~/captions/captions";
import type { Facet } from "./facets";
import { matcher, sorted, type View } from "./view";

/** The pictures that match, in their order. One whose caption is being edited stays where it is although it no longer
 * matches: neither it nor the focus may vanish from under the person who types. */
export function useShown(items: Item[], facet: Facet | undefined, view: View): readonly Item[] {
  const { show, tag, q, sort = "added" } = view;
  const typed = useTypedIds();
  const name = JSON.stringify([show, tag, q, sort]);
  const kept = useRef({ name, ids: new Set<string>(), order: [] as readonly string[] });
  return useMemo(() => {
    if (kept.current.name !== name) kept.current = { name, ids: new Set(), order: [] };
    const { ids, order } = kept.current;
    const was = new Set(order);
    for (const id of typed.split(" ")) if (was.has(id)) ids.add(id);
    const matches = matcher({ ...(tag && { tag }), ...(q && { q }) }, facet);
    const shown = inOrder(
      sorted(
        items.filter((item) => ids.has(item.id) || matches(item)),
        sort,
      ),
      order,
      ids,
    );
    kept.current.order = shown.map((item) => item.id);
    return shown;
  }, [items, facet, name, tag, q, sort, typed]);
}

/** Pictures that are kept stay behind the one that they followed, whatever the sorting now says of them. */
export function inOrder(
  shown: readonly Item[],
  order: readonly string[],
  kept: ReadonlySet<string>,
): readonly Item[] {
  if (kept.size === 0 || order.length === 0) return shown;
  const moved = new Map(shown.filter((item) => kept.has(item.id)).map((item) => [item.id, item]));
  const others = shown.filter((item) => !moved.has(item.id));
  const present = new Set(others.map((item) => item.id));
  const before = new Map<string | null, Item[]>();
  let last: string | null = null;
  for (const id of order) {
    const item = moved.get(id);
    if (item) {
      before.set(last, [...(before.get(last) ?? []), item]);
      moved.delete(id);
    } else if (present.has(id)) {
      last = id;
    }
  }
  const placed = [...(before.get(null) ?? [])];
  for (const item of others) placed.push(item, ...(before.get(item.id) ?? []));
  return [...placed, ...moved.values()];
}

/** The pictures that something was typed for, as one text that stays the same while more is typed. */
function useTypedIds(): string {
  const captions = useCaptions();
  return useSyncExternalStore(captions.subscribe, () =>
    captions
      .all()
      .map(({ item }) => item)
      .join(" "),
  );
}
