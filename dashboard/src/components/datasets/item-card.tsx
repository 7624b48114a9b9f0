// One picture with its caption, edited in place.
import { Info, SquareDashed, Trash2 } from "lucide-react";
import type { ComponentProps, MouseEvent } from "react";
import type { Item, Split } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Segmented } from "~/components/ui/segmented";
import { Tooltip } from "~/components/ui/tooltip";
import { cn } from "~/lib/cn";
import { formatBytes, formatSentence } from "~/lib/format";
import { maskUrl } from "~/lib/masks";
import { thumbnailUrl } from "~/lib/thumbnails";
import { CaptionField } from "./caption-field";
import { GroupField } from "./groups/group-field";

interface Props {
  dataset: string;
  item: Item;
  /** The list of known groups, by the id of its element. */
  groups: string;
  /** Lays its mask over the picture. */
  masks: boolean;
  /** Only the picture, and its name. */
  small?: boolean;
  isSelected: boolean;
  /** What the checks say about it, where that is what the pictures are filtered by. */
  detail?: string | undefined;
  /** How the list item stands in the grid. */
  row?: ComponentProps<"li">;
  /** A click on the checkbox, or one with a modifier key on the picture. */
  onSelect: (event: MouseEvent) => void;
  /** Shows it large. */
  onOpen: () => void;
  /** See `CaptionField`. */
  onMove?: (by: 1 | -1) => boolean;
  onSplit: (split: Split) => void;
  onGroup: (group: string) => void;
  onDeleteMask: () => void;
  onDelete: () => void;
}

export function ItemCard(props: Props) {
  const { dataset, item, groups, masks, small = false, isSelected, detail, row, onMove } = props;
  const { onSelect, onOpen, onSplit, onGroup, onDeleteMask, onDelete } = props;
  return (
    <li
      {...row}
      className={cn(
        "flex min-w-0 flex-col overflow-hidden rounded-lg border bg-surface",
        isSelected && "border-accent outline-1 outline-accent",
      )}
    >
      <div className="relative isolate border-b bg-sunken">
        <img
          src={thumbnailUrl(dataset, item)}
          // Of a small card, the name is all that stands beside the picture.
          alt={item.caption || (small ? "" : item.file_name)}
          loading="lazy"
          width={item.width}
          height={item.height}
          className="aspect-square w-full object-contain"
        />
        {item.has_mask && masks && (
          <img
            src={maskUrl(dataset, item)}
            alt={`Loss mask of ${item.file_name}`}
            loading="lazy"
            // What is black in the mask is dark in the picture.
            className="absolute inset-0 size-full object-contain opacity-80 mix-blend-multiply"
          />
        )}
        <button
          type="button"
          aria-label={`Show ${item.file_name} large`}
          // Shift must not select text.
          onMouseDown={(event) => event.shiftKey && event.preventDefault()}
          onClick={(event) => (event.shiftKey || event.ctrlKey || event.metaKey ? onSelect(event) : onOpen())}
          className="-outline-offset-2 absolute inset-0 cursor-zoom-in"
        />
        <label className="absolute top-0 left-0 grid size-9 cursor-pointer place-items-center">
          <input
            type="checkbox"
            aria-label={`Select ${item.file_name}`}
            checked={isSelected}
            onChange={() => {}}
            onClick={onSelect}
            className="size-6 cursor-pointer accent-(--accent)"
          />
        </label>
        {item.has_mask && !small && (
          <Confirm
            trigger={
              <Button
                variant="outline"
                size="icon-sm"
                aria-label={`Delete the loss mask of ${item.file_name}`}
                title="Delete the loss mask"
                className="absolute top-1.5 right-1.5 bg-raised"
              >
                <SquareDashed aria-hidden />
              </Button>
            }
            title={`Delete the loss mask of ${item.file_name}?`}
            description="The picture stays, and all of it is learned. Existing jobs keep their frozen copy with the mask."
            action="Delete the mask"
            onConfirm={onDeleteMask}
          />
        )}
        {item.notes.length > 0 && (
          <Tooltip label={item.notes.join("; ")}>
            <button
              type="button"
              aria-label={`Notes on ${item.file_name}: ${item.notes.join("; ")}`}
              className="absolute bottom-1.5 left-1.5 grid size-6 place-items-center rounded-md border bg-raised text-warning"
            >
              <Info aria-hidden className="size-3.5" />
            </button>
          </Tooltip>
        )}
      </div>
      <div className={cn("flex flex-1 flex-col gap-2", small ? "p-1.5" : "p-2")}>
        {item.damage && (
          <p className="font-medium text-bad text-xs">
            {item.damage === "missing" ? "The file is lost." : "The file is damaged."} Upload the picture
            again.
          </p>
        )}
        {item.set_aside && !small && (
          <p className="text-muted text-xs">Split into panels, which are trained on instead.</p>
        )}
        {detail && <p className="wrap-anywhere text-warning text-xs">{formatSentence(detail)}</p>}
        {!small && (
          <>
            <CaptionField dataset={dataset} item={item} {...(onMove && { onMove })} />
            <GroupField item={item} known={groups} onGroup={onGroup} />
            <div className="mt-auto flex items-center gap-1">
              <Segmented<Split>
                label={`Use of ${item.file_name}`}
                value={item.split}
                onValueChange={onSplit}
                options={[
                  { value: "train", label: "Train" },
                  { value: "held_out", label: "Held out" },
                ]}
                className="flex-1"
              />
              <Confirm
                trigger={
                  <Button variant="ghost" size="icon-sm" aria-label={`Delete ${item.file_name}`}>
                    <Trash2 aria-hidden />
                  </Button>
                }
                title={`Delete ${item.file_name}?`}
                description="The picture and its caption are removed from this dataset. Existing jobs keep their frozen copy."
                action="Delete"
                onConfirm={onDelete}
              />
            </div>
          </>
        )}
        <p className="truncate text-muted text-xs" title={item.file_name}>
          {!small && `${item.width} × ${item.height} · ${formatBytes(item.size_bytes)} · `}
          {item.file_name}
        </p>
      </div>
    </li>
  );
}
