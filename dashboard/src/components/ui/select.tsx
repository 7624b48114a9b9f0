// A list to choose one value from.
import { Select as Base } from "@base-ui/react/select";
import { Check, ChevronsUpDown } from "lucide-react";
import type { ReactNode } from "react";
import { cn } from "~/lib/cn";
import { CONTROL } from "./field";

export interface Option<T extends string> {
  value: T;
  label: string;
  detail?: ReactNode;
  disabled?: boolean;
}

interface Props<T extends string> {
  id?: string;
  label?: string;
  describedBy?: string | undefined;
  value: T | null;
  onValueChange: (value: T) => void;
  options: Option<T>[];
  placeholder?: string;
  invalid?: boolean;
  disabled?: boolean;
  className?: string;
}

export function Select<T extends string>(props: Props<T>) {
  const { id, label, describedBy, value, onValueChange, options, placeholder, invalid, disabled, className } =
    props;
  return (
    <Base.Root
      items={options}
      value={value}
      disabled={disabled ?? false}
      onValueChange={(next) => {
        if (next !== null) onValueChange(next);
      }}
    >
      <Base.Trigger
        id={id}
        aria-label={label}
        aria-describedby={describedBy}
        aria-invalid={invalid || undefined}
        className={cn(
          CONTROL,
          "flex h-8 w-full items-center justify-between gap-2 px-2.5 text-left data-disabled:opacity-50",
          className,
        )}
      >
        <Base.Value className="truncate data-placeholder:text-muted" placeholder={placeholder} />
        <Base.Icon>
          <ChevronsUpDown aria-hidden className="size-3.5 text-muted" />
        </Base.Icon>
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={4} alignItemWithTrigger={false} className="z-50 outline-none">
          <Base.Popup className="max-h-(--available-height) min-w-(--anchor-width) overflow-auto rounded-md border border-line-strong bg-raised p-1 outline-none transition-opacity duration-100 data-ending-style:opacity-0">
            {options.map((option) => (
              <Base.Item
                key={option.value}
                value={option.value}
                disabled={option.disabled ?? false}
                className="grid cursor-default select-none grid-cols-[1rem_1fr] items-center gap-x-2 rounded-sm px-1.5 py-1.5 outline-none data-disabled:text-muted data-highlighted:bg-hover"
              >
                <Base.ItemIndicator>
                  <Check aria-hidden className="size-3.5 text-accent" />
                </Base.ItemIndicator>
                <Base.ItemText className="col-start-2">{option.label}</Base.ItemText>
                {option.detail && <span className="col-start-2 text-muted text-xs">{option.detail}</span>}
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
