// What was changed of the pictures and captions of an upload while they were read: turned pictures, several lines.
import { Info, X } from "lucide-react";
import type { UploadReport } from "~/api/types";
import { Button } from "~/components/ui/button";
import { formatSentence } from "~/lib/format";

interface Props {
  report: UploadReport;
  onDismiss: () => void;
}

/** Names that are written out; more are counted. */
const MOST_NAMES = 3;

export function UploadNotes({ report, onDismiss }: Props) {
  const notes = notesOf(report);
  if (notes.length === 0) return null;
  return (
    <section aria-label="Changed while reading" role="status" className="mt-3 rounded-lg border bg-surface">
      <header className="flex items-center gap-2 border-b px-3 py-2">
        <Info aria-hidden className="size-4 text-accent" />
        <h2 className="font-semibold">Changed while reading</h2>
        <Button variant="ghost" size="icon-sm" aria-label="Dismiss" className="ml-auto" onClick={onDismiss}>
          <X aria-hidden />
        </Button>
      </header>
      <ul className="divide-y">
        {notes.map(({ note, files }) => (
          <li key={note} className="grid gap-x-4 px-3 py-1.5 sm:grid-cols-[minmax(10rem,1fr)_2fr]">
            <span className="wrap-anywhere font-medium">{named(files)}</span>
            <span className="text-muted">{formatSentence(note)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Each note once, with the files that it is about. */
export function notesOf({ accepted }: UploadReport): { note: string; files: string[] }[] {
  const byNote = new Map<string, string[]>();
  for (const { file_name, notes } of accepted) {
    for (const note of notes) byNote.set(note, [...(byNote.get(note) ?? []), file_name]);
  }
  return [...byNote].map(([note, files]) => ({ note, files }));
}

function named(files: string[]): string {
  const shown = files.slice(0, MOST_NAMES).join(", ");
  const n_more = files.length - MOST_NAMES;
  return n_more > 0 ? `${shown} and ${n_more} more` : shown;
}
