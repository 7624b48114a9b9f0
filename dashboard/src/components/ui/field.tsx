// A labeled form control with its help text and the server's error.
import { type ComponentProps, type ReactNode, useId } from "react";
import { cn } from "~/lib/cn";
import { formatSentence } from "~/lib/format";
import { Said } from "./said";

export const CONTROL =
  "rounded-md border border-line-strong/55 bg-surface text-text placeholder:text-muted transition-colors hover:border-line-strong focus-visible:border-accent focus-visible:outline-offset-0 aria-invalid:border-bad disabled:opacity-50";

/** A browser's own field for a file, in the look of the small buttons. */
export const FILE =
  "text-muted file:mr-2 file:h-7 file:cursor-pointer file:rounded-md file:border file:border-line-strong/55 file:border-solid file:bg-surface file:px-2 file:text-text file:text-xs hover:file:bg-hover";

interface Props {
  label: string;
  help?: ReactNode;
  error?: string | undefined;
  /** Shown right of the label: a unit, the preset's value. */
  aside?: ReactNode;
  className?: string;
  children: (control: {
    id: string;
    "aria-describedby": string | undefined;
    "aria-invalid": true | undefined;
  }) => ReactNode;
}

export function Field({ label, help, error, aside, className, children }: Props) {
  const id = useId();
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return (
    <div className={cn("flex min-w-0 flex-col gap-1", className)}>
      <div className="flex min-h-5 items-baseline justify-between gap-2">
        <label htmlFor={id} className="font-medium">
          {label}
        </label>
        {aside && <span className="text-muted text-xs">{aside}</span>}
      </div>
      {children({ id, "aria-describedby": described, "aria-invalid": error ? true : undefined })}
      {error && (
        <p id={`${id}-error`} role="alert" className="text-bad text-xs">
          <Said>{formatSentence(error)}</Said>
        </p>
      )}
      {help && (
        <p id={`${id}-help`} className="text-muted text-xs">
          {typeof help === "string" ? <Said>{help}</Said> : help}
        </p>
      )}
    </div>
  );
}

export function Input({ className, ...props }: ComponentProps<"input">) {
  return <input autoComplete="off" {...props} className={cn(CONTROL, "h-8 w-full px-2.5", className)} />;
}

export function Textarea({ className, ...props }: ComponentProps<"textarea">) {
  return <textarea rows={3} {...props} className={cn(CONTROL, "w-full resize-y px-2.5 py-1.5", className)} />;
}
