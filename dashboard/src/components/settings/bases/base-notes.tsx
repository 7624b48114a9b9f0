// What one should know before using a base model: statements that contradict each other, tensors that are not used.
import { TriangleAlert } from "lucide-react";
import { formatSentence } from "~/lib/format";

export function BaseNotes({ of, notes }: { of: string; notes: string[] | undefined }) {
  if (!notes || notes.length === 0) return null;
  return (
    <ul aria-label={`Notes on ${of}`} className="mt-1.5 flex flex-col gap-1 text-warning text-xs">
      {notes.map((note) => (
        <li key={note} className="flex gap-1.5">
          <TriangleAlert aria-hidden className="mt-0.5 size-3.5 flex-none" />
          <span className="wrap-anywhere min-w-0">{formatSentence(note)}</span>
        </li>
      ))}
    </ul>
  );
}
