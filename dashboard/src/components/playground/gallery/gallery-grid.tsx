// Pictures in rows of squares, of which only those near the window are built.
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useLayoutEffect, useRef } from "react";
import { pictureThumbnail } from "~/api/generations";
import type { Generation, Label } from "~/api/types";
import { columnsOf, GAP_PX } from "~/components/datasets/workbench/density";
import { Star } from "~/components/labels/star";
import { cn } from "~/lib/cn";
import { formatAgo } from "~/lib/format";
import { usePlace } from "~/lib/use-place";

interface Props {
  pictures: readonly Generation[];
  labels: ReadonlyMap<string, Label>;
  /** Those that are shown large. */
  open: readonly string[];
  selected: ReadonlySet<string>;
  onOpen: (id: string) => void;
  onSelect: (id: string, event: MouseEvent) => void;
}

export function GalleryGrid({ pictures, labels, open, selected, onOpen, onSelect }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const { width, top } = usePlace(list);
  const n_columns = columnsOf("small", width);
  const side_px = Math.max(1, (width - (n_columns - 1) * GAP_PX) / n_columns);
  const virtual = useWindowVirtualizer({
    count: Math.ceil(pictures.length / n_columns),
    estimateSize: () => side_px,
    overscan: 3,
    scrollMargin: top,
    gap: GAP_PX,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows of another width have another height
  useLayoutEffect(() => virtual.measure(), [virtual, n_columns, side_px]);
  const rows = virtual.getVirtualItems();
  return (
    <ul
      ref={list}
      aria-label="Pictures"
      className="relative [overflow-anchor:none]"
      style={{ height: virtual.getTotalSize() }}
    >
      {rows.flatMap((row) => {
        const first = row.index * n_columns;
        return pictures.slice(first, first + n_columns).map((picture, column) => (
          <Picture
            key={picture.id}
            picture={picture}
            label={labels.get(picture.id)}
            isOpen={open.includes(picture.id)}
            isSelected={selected.has(picture.id)}
            place={{
              "aria-setsize": pictures.length,
              "aria-posinset": first + column + 1,
              style: {
                width: side_px,
                height: side_px,
                transform: `translate(${column * (side_px + GAP_PX)}px, ${row.start - top}px)`,
              },
            }}
            onOpen={() => onOpen(picture.id)}
            onSelect={(event) => onSelect(picture.id, event)}
          />
        ));
      })}
    </ul>
  );
}

interface PictureProps {
  picture: Generation;
  label: Label | undefined;
  isOpen: boolean;
  isSelected: boolean;
  place: React.ComponentProps<"li">;
  onOpen: () => void;
  onSelect: (event: MouseEvent) => void;
}

function Picture({ picture, label, isOpen, isSelected, place, onOpen, onSelect }: PictureProps) {
  const { id, request, created_at } = picture;
  return (
    <li {...place} className="group absolute top-0 left-0">
      <button
        type="button"
        onClick={onOpen}
        aria-pressed={isOpen}
        title={`${request.prompt} (${formatAgo(created_at)})`}
        className={cn(
          "block size-full overflow-hidden rounded-md border-2 bg-sunken transition-colors hover:border-line-strong",
          isOpen || isSelected ? "border-accent" : "border-transparent",
        )}
      >
        <img
          src={pictureThumbnail(id)}
          alt={request.prompt}
          loading="lazy"
          className="size-full object-cover"
        />
      </button>
      <input
        type="checkbox"
        aria-label={`Select ${request.prompt}`}
        checked={isSelected}
        onClick={onSelect}
        onChange={() => {
          // The click has the keys that were held.
        }}
        className={cn(
          "absolute top-1.5 left-1.5 size-4 accent-accent transition-opacity",
          !isSelected &&
            "opacity-0 focus-visible:opacity-100 group-hover:opacity-100 pointer-coarse:opacity-100",
        )}
      />
      <Star
        kind="generation"
        id={id}
        name={request.prompt}
        starred={label?.starred ?? false}
        className={cn(
          "absolute right-1 bottom-1 border-line bg-surface",
          !label?.starred &&
            "opacity-0 focus-visible:opacity-100 group-hover:opacity-100 pointer-coarse:opacity-100",
        )}
      />
    </li>
  );
}
