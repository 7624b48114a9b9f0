// Star, tags and note of one thing, changed where they stand.
import { useQuery } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { useUpdateLabel } from "~/api/labels";
import { labelsQuery } from "~/api/queries";
import type { Labeled } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Input } from "~/components/ui/field";
import { announceError } from "~/components/ui/toast";
import { bySubject, tagsOf, withTag } from "./labels";
import { NoteField } from "./note-field";
import { Star } from "./star";

interface Props {
  kind: Labeled;
  id: string;
  /** What it is called. */
  name: string;
  /** The note of a job is in the job. */
  note?: string;
  className?: string;
}

export function LabelBar({ kind, id, name, note, className = "" }: Props) {
  const { data } = useQuery(labelsQuery(kind));
  const labels = data ?? [];
  const update = useUpdateLabel(kind);
  const label = bySubject(labels).get(id);
  const tags = label?.tags ?? [];
  const change = (what: { tags?: string[]; note?: string }) =>
    update.mutate(
      { id, change: what },
      { onError: (error) => announceError("The change was not saved", error) },
    );
  return (
    <section
      aria-label={`Tags and note of ${name}`}
      className={`flex flex-wrap items-center gap-1.5 ${className}`}
    >
      {/* A change of what is not known yet would replace it. */}
      <fieldset disabled={!data} className="contents">
        <Star kind={kind} id={id} name={name} starred={label?.starred ?? false} />
        {tags.map((tag) => (
          <span
            key={tag}
            className="inline-flex h-6 items-center gap-0.5 rounded-full border bg-sunken pr-0.5 pl-2 text-xs"
          >
            {tag}
            <button
              type="button"
              aria-label={`Remove the tag ${tag}`}
              className="grid size-5 place-items-center rounded-full text-muted hover:bg-hover hover:text-text"
              onClick={() => change({ tags: tags.filter((one) => one !== tag) })}
            >
              <X aria-hidden className="size-3" />
            </button>
          </span>
        ))}
        <TagField
          known={tagsOf(labels).map(({ tag }) => tag)}
          onAdd={(tag) => {
            const next = withTag(tags, tag);
            if (next.length > tags.length) change({ tags: next });
          }}
        />
        <NoteField note={note ?? label?.note ?? ""} onSave={(text) => change({ note: text })} />
      </fieldset>
    </section>
  );
}

function TagField({ known, onAdd }: { known: string[]; onAdd: (tag: string) => void }) {
  const [text, setText] = useState<string | null>(null);
  const list = useId();
  const add = (event?: FormEvent) => {
    event?.preventDefault();
    if (text) onAdd(text);
    setText("");
  };
  if (text === null)
    return (
      <Button variant="ghost" size="sm" onClick={() => setText("")}>
        <Plus aria-hidden />
        Tag
      </Button>
    );
  return (
    <form onSubmit={add}>
      <Input
        autoFocus
        aria-label="New tag"
        placeholder="New tag"
        maxLength={40}
        list={list}
        value={text}
        onChange={({ target }) => setText(target.value)}
        // An empty field stays: without it the page would move under the pointer that is pressing something else.
        onBlur={() => text && add()}
        onKeyDown={(event) => {
          if (event.key === "Escape") setText(null);
        }}
        className="h-7 w-32 text-xs"
      />
      <datalist id={list}>
        {known.map((tag) => (
          <option key={tag} value={tag} />
        ))}
      </datalist>
    </form>
  );
}
