// Two pictures over one another, with a line between them that can be moved.
import { type CSSProperties, useState } from "react";
import { cn } from "~/lib/cn";

interface Props {
  before: string;
  after: string;
  beforeLabel: string;
  afterLabel: string;
  className?: string;
}

export function Comparison({ before, after, beforeLabel, afterLabel, className }: Props) {
  const [share, setShare] = useState(50);
  const label = "absolute top-2 rounded-sm bg-viewer px-1.5 py-0.5 font-medium text-on-viewer text-xs";
  return (
    <div
      className={cn("group relative select-none overflow-hidden rounded-md bg-sunken", className)}
      style={{ "--share": `${share}%` } as CSSProperties}
    >
      <img src={after} alt={afterLabel} className="aspect-square w-full object-contain" />
      <img
        src={before}
        alt={beforeLabel}
        className="absolute inset-0 size-full object-contain [clip-path:inset(0_calc(100%-var(--share))_0_0)]"
      />
      <span className={cn(label, "left-2")}>{beforeLabel}</span>
      <span className={cn(label, "right-2")}>{afterLabel}</span>
      <span aria-hidden className="absolute inset-y-0 left-(--share) w-0.5 -translate-x-1/2 bg-on-viewer">
        <span className="absolute top-1/2 left-1/2 grid h-8 w-5 -translate-x-1/2 -translate-y-1/2 place-items-center rounded-sm border-2 border-viewer bg-on-viewer font-semibold text-viewer text-xs group-has-focus-visible:outline-2 group-has-focus-visible:outline-accent group-has-focus-visible:outline-offset-2">
          ⇆
        </span>
      </span>
      <input
        type="range"
        min={0}
        max={100}
        value={share}
        onChange={(event) => setShare(Number(event.target.value))}
        aria-label={`Compare: ${beforeLabel} on the left, ${afterLabel} on the right`}
        className="absolute inset-0 size-full cursor-ew-resize opacity-0"
      />
    </div>
  );
}
