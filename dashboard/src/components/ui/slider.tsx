// A slider with its value written beside it.
import { Slider as Base } from "@base-ui/react/slider";
import { cn } from "~/lib/cn";

interface Props {
  label: string;
  value: number;
  onValueChange: (value: number) => void;
  min: number;
  max: number;
  step: number;
  format?: (value: number) => string;
  className?: string;
  disabled?: boolean;
  onBlur?: () => void;
}

export function Slider({
  label,
  value,
  onValueChange,
  min,
  max,
  step,
  format = String,
  className,
  disabled = false,
  onBlur,
}: Props) {
  return (
    <Base.Root
      value={value}
      onValueChange={(next) => onValueChange(Array.isArray(next) ? (next[0] ?? min) : next)}
      min={min}
      max={max}
      step={step}
      disabled={disabled}
      onBlur={onBlur}
      className={cn("flex items-center gap-3", className)}
    >
      <Base.Control className="flex h-6 min-w-16 flex-1 touch-none select-none items-center">
        <Base.Track className="h-1 w-full rounded-full bg-line">
          <Base.Indicator className="rounded-full bg-accent" />
          <Base.Thumb
            aria-label={label}
            getAriaValueText={(_, number) => format(number)}
            className="size-4 rounded-full border-2 border-accent bg-surface focus-visible:outline-2 focus-visible:outline-accent focus-visible:outline-offset-2"
          />
        </Base.Track>
      </Base.Control>
      <span aria-hidden data-figures className="min-w-9 text-right text-muted text-xs">
        {format(value)}
      </span>
    </Base.Root>
  );
}
