// What can be done with the selected pictures. Each button says how many it changes.
import { Trash2, Undo2, X } from "lucide-react";
import { useState } from "react";
import { fields } from "~/api/fields";
import { describeError } from "~/api/problem";
import type { Item, Split } from "~/api/types";
import { EditForm } from "~/components/datasets/caption-edits/edit-form";
import { EditHistory } from "~/components/datasets/caption-edits/edit-history";
import { Button } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Input } from "~/components/ui/field";
import { formatCount, formatPlural, formatSentence } from "~/lib/format";
import { useMany } from "./use-many";

interface Props {
  dataset: string;
  selected: readonly Item[];
  n_shown: number;
  /** Selected pictures that the filters leave out. */
  n_hidden: number;
  n_items: number;
  /** The list of known groups, by the id of its element. */
  groups: string;
  onAll: () => void;
  onNone: () => void;
}

export function SelectionBar(props: Props) {
  const { dataset, selected, n_shown, n_hidden, n_items, groups, onAll, onNone } = props;
  const [isEditing, setEditing] = useState(false);
  const [group, setGroup] = useState("");
  const { isBusy, n_done, last, error, change, undo, remove, dismiss } = useMany(dataset, selected);
  const split = (to: Split) => selected.filter((item) => item.split !== to);
  const wanted = group.trim();
  const moved = selected.filter((item) => item.group !== wanted);
  if (selected.length === 0 && !last && !isBusy) return null;
  return (
    <section
      aria-label="Selection"
      // It stands below the pictures, which stay where they are when the first is selected, and comes before them by keyboard.
      className="sticky bottom-16 z-10 order-last mt-3 flex flex-col gap-3 rounded-lg border border-accent bg-raised p-2 md:bottom-2"
    >
      <div className="flex flex-wrap items-center gap-1.5">
        <p role="status" className="mr-1 font-medium">
          {formatCount(selected.length)} selected
          {n_hidden > 0 && (
            <span className="font-normal text-muted"> · {formatCount(n_hidden)} not shown</span>
          )}
        </p>
        <Button size="sm" variant="ghost" onClick={onAll}>
          Select all {formatCount(n_shown)}
        </Button>
        {selected.length > 0 && (
          <Button size="sm" variant="ghost" onClick={onNone}>
            <X aria-hidden />
            Clear
          </Button>
        )}
      </div>
      {selected.length > 0 && (
        <div className="flex flex-wrap items-center gap-1.5">
          <Button size="sm" aria-expanded={isEditing} onClick={() => setEditing(!isEditing)}>
            Edit captions…
          </Button>
          <Button
            size="sm"
            disabled={isBusy || split("held_out").length === 0}
            onClick={() =>
              change({
                field: "split",
                items: split("held_out"),
                to: () => ({ split: "held_out" }),
                says: (pictures) => `${pictures} held out.`,
              })
            }
          >
            Hold out {formatCount(split("held_out").length)}
          </Button>
          <Button
            size="sm"
            disabled={isBusy || split("train").length === 0}
            onClick={() =>
              change({
                field: "split",
                items: split("train"),
                to: () => ({ split: "train" }),
                says: (pictures) => `${pictures} used for training.`,
              })
            }
          >
            Train on {formatCount(split("train").length)}
          </Button>
          <form
            className="flex items-center gap-1.5"
            onSubmit={(event) => {
              event.preventDefault();
              if (moved.length === 0 || isBusy) return;
              change({
                field: "group",
                items: moved,
                to: () => ({ group: wanted }),
                says: (pictures) => `${pictures} moved to ${wanted || "no group"}.`,
              });
            }}
          >
            <div className="w-28">
              <Input
                aria-label="Group of the selected pictures"
                placeholder="Group"
                list={groups}
                maxLength={fields.UpdateItem.group.maxLength}
                value={group}
                onChange={({ target }) => setGroup(target.value)}
              />
            </div>
            <Button size="sm" type="submit" disabled={isBusy || moved.length === 0} className="max-w-52">
              <span className="truncate">
                Move {formatCount(moved.length)} to {wanted || "no group"}
              </span>
            </Button>
          </form>
          <Confirm
            trigger={
              <Button size="sm" variant="danger" disabled={isBusy}>
                <Trash2 aria-hidden />
                Delete {formatCount(selected.length)}
              </Button>
            }
            title={`Delete ${formatPlural(selected.length, "picture")}?`}
            description={`${notShown(n_hidden)}The pictures and their captions are removed from this dataset. Existing jobs keep their frozen copy.`}
            action={`Delete ${formatPlural(selected.length, "picture")}`}
            onConfirm={() => remove(onNone)}
          />
        </div>
      )}
      {isBusy && (
        <p role="status" className="text-muted text-xs">
          {formatPlural(n_done, "picture")} done…
        </p>
      )}
      {last && !isBusy && (
        <p role="status" className="flex flex-wrap items-center gap-2 text-xs">
          {last.text}
          <Button size="sm" onClick={() => undo(last)}>
            <Undo2 aria-hidden />
            Undo
          </Button>
          <Button size="sm" variant="ghost" onClick={dismiss}>
            Dismiss
          </Button>
        </p>
      )}
      {error && (
        <p role="alert" className="text-bad text-xs">
          {formatSentence(describeError(error))}
        </p>
      )}
      {isEditing && selected.length > 0 && (
        <div className="max-h-[60dvh] overflow-y-auto border-t pt-3">
          <EditForm dataset={dataset} shown={selected} n_items={n_items} />
          <div className="mt-3">
            <EditHistory dataset={dataset} />
          </div>
        </div>
      )}
    </section>
  );
}

function notShown(n_hidden: number): string {
  if (n_hidden === 0) return "";
  return `${formatCount(n_hidden)} of them ${n_hidden === 1 ? "is" : "are"} not shown now. `;
}
