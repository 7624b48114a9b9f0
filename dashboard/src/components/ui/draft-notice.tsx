// Says that a form has what was typed earlier, and offers to begin anew.
import { RotateCcw } from "lucide-react";
import { formatAgo } from "~/lib/format";
import { Button } from "./button";

interface Props {
  /** When it was typed, in milliseconds; null for a form that was not restored. */
  from: number | null;
  onDiscard: () => void;
  className?: string;
}

export function DraftNotice({ from, onDiscard, className = "" }: Props) {
  if (from === null) return null;
  return (
    <div
      role="status"
      className={`flex flex-wrap items-center justify-between gap-2 rounded-md border bg-sunken px-3 py-2 ${className}`}
    >
      <span>You typed this {formatAgo(new Date(from).toISOString())} and did not submit it.</span>
      <Button size="sm" onClick={onDiscard}>
        <RotateCcw aria-hidden />
        Discard
      </Button>
    </div>
  );
}
