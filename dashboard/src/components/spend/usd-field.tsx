// An amount in dollars, as it is typed.
import type { ComponentProps, ReactNode } from "react";
import { Field, Input } from "~/components/ui/field";

interface Props extends Omit<ComponentProps<typeof Input>, "value" | "onChange"> {
  label: string;
  help?: ReactNode;
  error?: string | undefined;
  value: string;
  onValueChange: (text: string) => void;
}

export function UsdField({ label, help, error, value, onValueChange, ...props }: Props) {
  return (
    <Field label={label} help={help} error={error}>
      {(control) => (
        <div className="relative">
          <span aria-hidden className="pointer-events-none absolute top-1.5 left-2.5 text-muted">
            $
          </span>
          <Input
            {...props}
            {...control}
            inputMode="decimal"
            value={value}
            onChange={(event) => onValueChange(event.target.value)}
            className="pl-6"
          />
        </div>
      )}
    </Field>
  );
}
