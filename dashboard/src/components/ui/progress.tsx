// A progress bar; it has strokes while work goes on.
import { Progress as Base } from "@base-ui/react/progress";
import { cn } from "~/lib/cn";

interface Props {
  label: string;
  /** From 0 to 1; null while it is unknown. */
  value: number | null;
  live?: boolean;
  tone?: "accent" | "good" | "bad" | "muted";
  className?: string;
}

const TONES = { accent: "bg-accent", good: "bg-good", bad: "bg-bad", muted: "bg-faint" };

export function Progress({ label, value, live = false, tone = "accent", className }: Props) {
  return (
    <Base.Root
      aria-label={label}
      value={value === null ? null : value * 100}
      className={cn("w-full", className)}
    >
      <Base.Track className="h-full overflow-hidden rounded-sm bg-line">
        <Base.Indicator
          className={cn(
            "h-full rounded-sm transition-[width] duration-300 ease-out",
            TONES[tone],
            live && "hatch-live",
            value === null && "w-full opacity-40",
          )}
        />
      </Base.Track>
    </Base.Root>
  );
}
