// The pictures in a grid, of which only those near the window are built.
import { defaultRangeExtractor, type Range, useWindowVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useCallback, useEffect, useLayoutEffect, useRef } from "react";
import { useDeleteItem, useDeleteMask, useSetGroup, useSetSplit } from "~/api/datasets";
import type { Item } from "~/api/types";
import { useCaptions } from "~/captions/captions";
import { captionId } from "~/components/datasets/caption-field";
import { ItemCard } from "~/components/datasets/item-card";
import { announceError } from "~/components/ui/toast";
import { usePlace } from "~/lib/use-place";
import { columnsOf, type Density, GAP_PX } from "./density";

interface Props {
  dataset: string;
  shown: readonly Item[];
  density: Density;
  masks: boolean;
  groups: string;
  selected: ReadonlySet<string>;
  /** What the checks say about pictures, where that is what they are filtered by. */
  details: ReadonlyMap<string, string> | undefined;
  onSelect: (id: string, event: MouseEvent) => void;
  onOpen: (item: Item) => void;
}

/** Height of what is below a picture, before it was measured. */
const BELOW_PX: Record<Density, number> = { large: 190, medium: 190, small: 32 };

export function PictureGrid(props: Props) {
  const { dataset, shown, density, masks, groups, selected, details, onSelect, onOpen } = props;
  const list = useRef<HTMLUListElement>(null);
  const focused = useRef<string>(undefined);
  const wanted = useRef<string>(undefined);
  const { width, top } = usePlace(list);
  const n_columns = columnsOf(density, width);
  const column_px = (width - (n_columns - 1) * GAP_PX) / n_columns;
  // The row with the focus stays, so that it is not lost when somebody scrolls away.
  const rangeExtractor = useCallback(
    (range: Range) => {
      const rows = defaultRangeExtractor(range);
      const at = focused.current ? shown.findIndex(({ id }) => id === focused.current) : -1;
      const row = Math.floor(at / n_columns);
      return at < 0 || rows.includes(row) ? rows : [...rows, row].toSorted((a, b) => a - b);
    },
    [shown, n_columns],
  );
  const virtual = useWindowVirtualizer({
    count: Math.ceil(shown.length / n_columns),
    estimateSize: () => column_px + BELOW_PX[density],
    overscan: 2,
    scrollMargin: top,
    gap: GAP_PX,
    rangeExtractor,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows of another width or kind have other heights
  useLayoutEffect(() => virtual.measure(), [virtual, n_columns, density]);

  const focus = (id: string) => {
    const field = document.getElementById(captionId(id));
    field?.focus();
    return field !== null;
  };
  // The row that was scrolled to is there now.
  useEffect(() => {
    if (wanted.current && focus(wanted.current)) wanted.current = undefined;
  });
  const move = (from: string, by: 1 | -1): boolean => {
    const at = shown.findIndex(({ id }) => id === from);
    const next = at < 0 ? undefined : shown[at + by];
    if (!next) return false;
    if (!focus(next.id)) {
      wanted.current = next.id;
      virtual.scrollToIndex(Math.floor((at + by) / n_columns));
    }
    return true;
  };
  const card = useCards(dataset);
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1);
  return (
    <ul
      ref={list}
      aria-label="Pictures"
      onFocus={({ target }) => {
        focused.current = target.closest<HTMLElement>("[data-picture]")?.dataset.picture;
      }}
      onBlur={() => {
        focused.current = undefined;
      }}
      className="grid items-stretch [overflow-anchor:none]"
      style={{
        columnGap: GAP_PX,
        gridTemplateColumns: `repeat(${n_columns}, minmax(0, 1fr))`,
        paddingBottom: last ? virtual.getTotalSize() - (last.end - top) : 0,
      }}
    >
      {rows.flatMap((row, n) => {
        // The room of the rows that are not built, and the gap.
        const marginTop = row.start - (rows[n - 1]?.end ?? top);
        const first = row.index * n_columns;
        return shown.slice(first, first + n_columns).map((item, column) => (
          <ItemCard
            key={item.id}
            dataset={dataset}
            item={item}
            groups={groups}
            masks={masks}
            small={density === "small"}
            isSelected={selected.has(item.id)}
            detail={details?.get(item.id)}
            row={{
              "aria-setsize": shown.length,
              "aria-posinset": first + column + 1,
              style: { marginTop },
              ...{ "data-picture": item.id, "data-index": row.index },
              ...(column === 0 && { ref: (node) => virtual.measureElement(node) }),
            }}
            onSelect={(event) => onSelect(item.id, event)}
            onOpen={() => onOpen(item)}
            onMove={(by) => move(item.id, by)}
            {...card(item)}
          />
        ));
      })}
    </ul>
  );
}

/** What a card does to its picture. */
function useCards(dataset: string) {
  const captions = useCaptions();
  const setSplit = useSetSplit(dataset);
  const setGroup = useSetGroup(dataset);
  const removeMask = useDeleteMask(dataset);
  const remove = useDeleteItem(dataset, (item) => captions.discard({ dataset, item }));
  return ({ id, file_name }: Item) => {
    const not = (done: string) => ({
      onError: (error: unknown) => announceError(`${file_name} was not ${done}`, error),
    });
    return {
      onSplit: (split: Item["split"]) => setSplit.mutate({ item: id, split }, not("changed")),
      onGroup: (group: string) => setGroup.mutate({ item: id, group }, not("changed")),
      onDeleteMask: () =>
        removeMask.mutate(id, {
          onError: (error) => announceError(`The mask of ${file_name} was not deleted`, error),
        }),
      onDelete: () => remove.mutate(id, not("deleted")),
    };
  };
}
