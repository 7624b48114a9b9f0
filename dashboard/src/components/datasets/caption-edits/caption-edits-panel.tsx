// Edits of many captions: the difference is shown before it is made, and each edit can be undone.
import { ChevronDown } from "lucide-react";
import { useState } from "react";
import type { Item } from "~/api/types";
import { formatPlural } from "~/lib/format";
import { EditForm } from "./edit-form";
import { EditHistory } from "./edit-history";

interface Props {
  dataset: string;
  /** The pictures that the search and the filter leave. */
  shown: readonly Item[];
  /** Pictures of the dataset. */
  n_items: number;
}

export function CaptionEditsPanel({ dataset, shown, n_items }: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details
      className="group my-3 rounded-lg border bg-surface"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary className="flex min-h-10 list-none flex-wrap items-center gap-2 rounded-lg px-3 font-medium hover:bg-hover">
        <ChevronDown
          aria-hidden
          className="-rotate-90 size-4 text-muted transition-transform group-open:rotate-0"
        />
        Edit many captions
        <span className="font-normal text-muted">{ofPictures(shown.length, n_items)}</span>
      </summary>
      {isOpen && (
        <div className="flex flex-col gap-3 border-t p-3">
          <EditForm dataset={dataset} shown={shown} n_items={n_items} />
          <EditHistory dataset={dataset} />
        </div>
      )}
    </details>
  );
}

function ofPictures(n_shown: number, n_items: number): string {
  if (n_shown === n_items) return "of all pictures";
  return `of the ${formatPlural(n_shown, "picture")} that ${n_shown === 1 ? "is" : "are"} shown`;
}
