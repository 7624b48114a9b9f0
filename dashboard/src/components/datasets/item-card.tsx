// One picture with its caption, edited in place.
import { Info, Trash2 } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
import type { Item, Split, UpdateItem } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Textarea } from "~/components/ui/field";
import { Segmented } from "~/components/ui/segmented";
import { Tooltip } from "~/components/ui/tooltip";
import { formatBytes } from "~/lib/format";

interface Props {
  item: Item;
  onChange: (change: UpdateItem) => void;
  onDelete: () => void;
}

export function ItemCard({ item, onChange, onDelete }: Props) {
  return (
    <li className="flex min-w-0 flex-col overflow-hidden rounded-lg border bg-surface">
      <div className="relative border-b bg-sunken">
        <img
          src={item.url}
          alt={item.caption || item.file_name}
          loading="lazy"
          width={item.width}
          height={item.height}
          className="aspect-square w-full object-contain"
        />
        {item.notes.length > 0 && (
          <Tooltip label={item.notes.join("; ")}>
            <button
              type="button"
              aria-label={`Notes on ${item.file_name}: ${item.notes.join("; ")}`}
              className="absolute top-1.5 left-1.5 grid size-6 place-items-center rounded-md border bg-raised text-warning"
            >
              <Info aria-hidden className="size-3.5" />
            </button>
          </Tooltip>
        )}
      </div>
      <div className="flex flex-1 flex-col gap-2 p-2">
        {item.damage && (
          <p className="font-medium text-bad text-xs">
            {item.damage === "missing" ? "The file is lost." : "The file is damaged."} Upload the picture
            again.
          </p>
        )}
        <Caption key={item.caption} item={item} onSave={(caption) => onChange({ caption })} />
        <div className="mt-auto flex items-center gap-1">
          <Segmented<Split>
            label={`Use of ${item.file_name}`}
            value={item.split}
            onValueChange={(split) => onChange({ split })}
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
            description="The picture and its caption leave this dataset. Jobs that were made from it keep their frozen copy."
            action="Delete"
            onConfirm={onDelete}
          />
        </div>
        <p className="truncate text-muted text-xs" title={item.file_name}>
          {item.width} × {item.height} · {formatBytes(item.size_bytes)} · {item.file_name}
        </p>
      </div>
    </li>
  );
}

/** Saved when it is left; Escape takes the change back. */
function Caption({ item, onSave }: { item: Item; onSave: (caption: string) => void }) {
  const [text, setText] = useState(item.caption);
  const save = () => {
    if (text.trim() !== item.caption) onSave(text.trim());
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === "Escape") setText(item.caption);
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      event.currentTarget.blur();
    }
  };
  return (
    <Textarea
      aria-label={`Caption of ${item.file_name}`}
      placeholder="Describe the picture in the words of a prompt"
      value={text}
      onChange={(event) => setText(event.target.value)}
      onBlur={save}
      onKeyDown={onKeyDown}
      className="min-h-16 text-xs"
    />
  );
}
