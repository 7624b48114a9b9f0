// A few choices side by side, one of them taken.
import { Toggle } from "@base-ui/react/toggle";
import { ToggleGroup } from "@base-ui/react/toggle-group";
import type { ReactNode } from "react";
import { cn } from "~/lib/cn";

interface Props<T extends string> {
  label: string;
  value: T;
  onValueChange: (value: T) => void;
  options: { value: T; label: string; icon?: ReactNode }[];
  className?: string;
}

export function Segmented<T extends string>({ label, value, onValueChange, options, className }: Props<T>) {
  return (
    <ToggleGroup
      aria-label={label}
      value={[value]}
      onValueChange={(next) => {
        const chosen = options.find((option) => option.value === next[0]);
        if (chosen) onValueChange(chosen.value);
      }}
      className={cn("inline-flex gap-0.5 rounded-md border bg-sunken p-0.5", className)}
    >
      {options.map((option) => (
        <Toggle
          key={option.value}
          value={option.value}
          aria-label={option.icon ? option.label : undefined}
          title={option.icon ? option.label : undefined}
          className="flex h-6 min-w-7 flex-auto items-center justify-center gap-1.5 whitespace-nowrap rounded-sm border border-transparent px-1.5 font-medium sm:px-2 text-muted text-xs transition-colors hover:text-text data-pressed:border-line data-pressed:bg-surface data-pressed:text-text [&_svg]:size-3.5"
        >
          {option.icon ?? option.label}
        </Toggle>
      ))}
    </ToggleGroup>
  );
}
