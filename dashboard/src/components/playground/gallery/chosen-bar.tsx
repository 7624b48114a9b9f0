// What can be done with the pictures that are chosen.
import { Columns2, Star, StarOff, Tag, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useUpdateLabel } from "~/api/labels";
import type { Generation, Label, UpdateLabel } from "~/api/types";
import { withTag } from "~/components/labels/labels";
import { DeleteButton } from "~/components/trash/delete-button";
import { Button } from "~/components/ui/button";
import { Input } from "~/components/ui/field";
import { announceError } from "~/components/ui/toast";
import { formatPlural } from "~/lib/format";

/** Most pictures that are shown large at once. */
export const MOST_OPEN = 4;

interface Props {
  chosen: Generation[];
  labels: ReadonlyMap<string, Label>;
  onOpen: (ids: string[]) => void;
  onNone: () => void;
}

export function ChosenBar({ chosen, labels, onOpen, onNone }: Props) {
  const update = useUpdateLabel("generation");
  const [tag, setTag] = useState("");
  if (chosen.length === 0) return null;
  const all = (change: (label: Label | undefined) => UpdateLabel) => {
    for (const { id } of chosen)
      update.mutate(
        { id, change: change(labels.get(id)) },
        { onError: (error) => announceError("A picture was not changed", error) },
      );
  };
  const isStarred = chosen.every(({ id }) => labels.get(id)?.starred);
  const addTag = (event: FormEvent) => {
    event.preventDefault();
    if (tag.trim() !== "") all((label) => ({ tags: withTag(label?.tags ?? [], tag) }));
    setTag("");
  };
  return (
    <section
      aria-label="Chosen pictures"
      className="sticky top-2 z-20 mb-2 flex flex-wrap items-center gap-2 rounded-md border bg-raised px-2 py-1.5"
    >
      <span className="font-medium">{formatPlural(chosen.length, "picture")}</span>
      <Button size="sm" onClick={() => all(() => ({ starred: !isStarred }))}>
        {isStarred ? <StarOff aria-hidden /> : <Star aria-hidden />}
        {isStarred ? "Take stars away" : "Give stars"}
      </Button>
      <form onSubmit={addTag} className="flex items-center gap-1">
        <Input
          aria-label="Tag for the chosen pictures"
          placeholder="Tag"
          maxLength={40}
          value={tag}
          onChange={({ target }) => setTag(target.value)}
          className="h-7 w-28 text-xs"
        />
        <Button size="sm" type="submit" disabled={tag.trim() === ""}>
          <Tag aria-hidden />
          Add
        </Button>
      </form>
      <Button
        size="sm"
        disabled={chosen.length > MOST_OPEN}
        title={chosen.length > MOST_OPEN ? `At most ${MOST_OPEN} fit beside each other.` : undefined}
        onClick={() => onOpen(chosen.map(({ id }) => id))}
      >
        <Columns2 aria-hidden />
        Show side by side
      </Button>
      <DeleteButton
        size="sm"
        items={chosen.map(({ id }) => ({ kind: "generation", id }))}
        what={formatPlural(chosen.length, "picture")}
        onDeleted={onNone}
      />
      <Button size="icon-sm" variant="ghost" aria-label="Choose none" className="ml-auto" onClick={onNone}>
        <X aria-hidden />
      </Button>
    </section>
  );
}
