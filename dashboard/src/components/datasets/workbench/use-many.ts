// What is done to many pictures at once: how far it is, what was done last, and its undo.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type ItemChange, useChangeItems, useDeleteItems } from "~/api/datasets";
import { itemsQuery } from "~/api/queries";
import type { Item } from "~/api/types";
import { useCaptions } from "~/captions/captions";
import { announce, announceError } from "~/components/ui/toast";
import { formatPlural } from "~/lib/format";

interface Change {
  /** What is changed. */
  field: keyof ItemChange;
  items: readonly Item[];
  to: (item: Item) => ItemChange;
  /** What was done: `2 pictures held out.` */
  says: (pictures: string) => string;
}

interface Done {
  text: string;
  field: keyof ItemChange;
  /** The pictures as they were. */
  before: readonly Item[];
  /** The pictures as they were changed. */
  after: readonly Item[];
}

export function useMany(dataset: string, selected: readonly Item[]) {
  const [n_done, setDone] = useState(0);
  const [last, setLast] = useState<Done>();
  const changing = useChangeItems(dataset, setDone);
  const queries = useQueryClient();
  const captions = useCaptions();
  const removing = useDeleteItems(dataset, setDone, ({ id }) => captions.discard({ dataset, item: id }));
  const begin = () => {
    setDone(0);
    setLast(undefined);
  };
  const change = ({ field, items, to, says }: Change) => {
    begin();
    changing.mutate(
      { items, to },
      {
        onSuccess: ({ failed, error }) => {
          const others = new Set(failed);
          const before = items.filter((item) => !others.has(item));
          const after = before.map((item) => ({ ...item, ...to(item) }));
          if (before.length > 0)
            setLast({ text: says(formatPlural(before.length, "picture")), field, before, after });
          if (failed.length > 0)
            announceError(`${formatPlural(failed.length, "picture")} not changed`, error);
        },
      },
    );
  };
  const undo = ({ field, before, after }: Done) => {
    const now = new Map(queries.getQueryData(itemsQuery(dataset).queryKey)?.map((item) => [item.id, item]));
    const was = new Map(before.map((item) => [item.id, item[field]]));
    const items = after.filter((item) => now.get(item.id)?.[field] === item[field]);
    const n_skipped = after.length - items.length;
    const skipped = `${formatPlural(n_skipped, "picture")} skipped: changed or deleted since.`;
    if (items.length === 0) {
      begin();
      announce("Nothing was changed back", skipped);
      return;
    }
    change({
      field,
      items,
      to: ({ id }) => ({ [field]: was.get(id) }),
      says: (pictures) => `${pictures} changed back.${n_skipped > 0 ? ` ${skipped}` : ""}`,
    });
  };
  const remove = (onDone: () => void) => {
    begin();
    removing.mutate(selected, {
      onSuccess: ({ failed, error }) => {
        if (failed.length > 0) announceError(`${formatPlural(failed.length, "picture")} not deleted`, error);
        else onDone();
      },
    });
  };
  return {
    n_done,
    last,
    isBusy: changing.isPending || removing.isPending,
    error: changing.error ?? removing.error,
    change,
    undo,
    remove,
    dismiss: () => setLast(undefined),
  };
}
