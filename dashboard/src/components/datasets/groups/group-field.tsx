// The group of one picture, edited in place.
import { useState } from "react";
import { fields } from "~/api/fields";
import type { Item } from "~/api/types";
import { Input } from "~/components/ui/field";

interface Props {
  item: Item;
  /** The list of known groups, by the id of its element. */
  known: string;
  onGroup: (group: string) => void;
}

export function GroupField({ item, known, onGroup }: Props) {
  const [typed, setTyped] = useState<string | null>(null);
  const save = () => {
    if (typed !== null && typed.trim() !== item.group) onGroup(typed.trim());
    setTyped(null);
  };
  return (
    <Input
      aria-label={`Group of ${item.file_name}`}
      list={known}
      placeholder="No group"
      maxLength={fields.UpdateItem.group.maxLength}
      className="h-7 text-xs"
      value={typed ?? item.group}
      onChange={({ target }) => setTyped(target.value)}
      onBlur={save}
      onKeyDown={(event) => {
        if (event.key === "Enter") save();
        if (event.key === "Escape") setTyped(null);
      }}
    />
  );
}
