// A note of one line, which becomes a field when it is pressed.
import { PencilLine } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Button } from "~/components/ui/button";
import { Input } from "~/components/ui/field";

/** `protocol::limits::MAX_NOTE_CHARS`. */
const MOST_CHARS = 200;

interface Props {
  note: string;
  onSave: (note: string) => void;
}

export function NoteField({ note, onSave }: Props) {
  const [text, setText] = useState<string | null>(null);
  const save = (event?: FormEvent) => {
    event?.preventDefault();
    if (text !== null && text.trim() !== note) onSave(text.trim());
    setText(null);
  };
  if (text === null)
    return (
      <Button
        variant="ghost"
        size="sm"
        aria-label={note ? `Change the note: ${note}` : "Add a note"}
        onClick={() => setText(note)}
        className="h-auto min-h-7 min-w-0 shrink whitespace-normal text-left"
      >
        <PencilLine aria-hidden />
        <span className="wrap-anywhere">{note || "Note"}</span>
      </Button>
    );
  return (
    <form onSubmit={save} className="min-w-48 flex-1">
      <Input
        autoFocus
        aria-label="Note"
        maxLength={MOST_CHARS}
        value={text}
        onChange={({ target }) => setText(target.value)}
        onBlur={() => save()}
        onKeyDown={(event) => {
          if (event.key === "Escape") setText(null);
        }}
        className="h-7 text-xs"
      />
    </form>
  );
}
