// Which pictures are selected, as in a file manager.
export interface Selection {
  ids: ReadonlySet<string>;
  /** Where a range begins: the picture that was chosen last. */
  anchor: string | null;
}

export const NOTHING: Selection = { ids: new Set(), anchor: null };

/** Adds one, or takes it away. */
export function toggled({ ids }: Selection, id: string): Selection {
  const next = new Set(ids);
  if (!next.delete(id)) next.add(id);
  return { ids: next, anchor: id };
}

/** Everything from the anchor to `id`, in the order of `shown`, joins the selection; without an anchor just `id`. */
export function extended({ ids, anchor }: Selection, id: string, shown: readonly string[]): Selection {
  const to = shown.indexOf(id);
  const from = anchor === null ? to : shown.indexOf(anchor);
  if (to < 0) return { ids, anchor };
  const [first, last] = from < 0 ? [to, to] : [Math.min(from, to), Math.max(from, to)];
  return { ids: new Set([...ids, ...shown.slice(first, last + 1)]), anchor: from < 0 ? id : (anchor ?? id) };
}

/** All that are shown join the selection. */
export function withAll({ ids, anchor }: Selection, shown: readonly string[]): Selection {
  return { ids: new Set([...ids, ...shown]), anchor };
}
