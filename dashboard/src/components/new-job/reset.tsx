// Takes a changed field back to the preset.
import { RotateCcw } from "lucide-react";

interface Props {
  /** What it goes back to, in words. */
  to: string;
  onReset: () => void;
}

export function Reset({ to, onReset }: Props) {
  return (
    <button
      type="button"
      onClick={onReset}
      className="wrap-anywhere inline-flex min-w-0 items-center gap-1 rounded-sm text-left text-accent underline-offset-2 hover:underline"
    >
      <RotateCcw aria-hidden className="size-3 shrink-0" />
      <span className="min-w-0">Preset: {to}</span>
    </button>
  );
}
