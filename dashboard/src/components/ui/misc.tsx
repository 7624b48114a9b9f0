// Small pieces: keys, placeholders, labeled figures.
import type { ReactNode } from "react";
import { cn } from "~/lib/cn";

export function Kbd({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <kbd
      className={cn(
        "inline-flex h-5 min-w-5 items-center justify-center rounded-sm border bg-sunken px-1 font-medium font-sans text-2xs text-muted",
        className,
      )}
    >
      {children}
    </kbd>
  );
}

/** Holds the place of what is being loaded; appears only when that takes a while. */
export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cn("hatch rounded-md bg-sunken", className)} />;
}

export function Figure({
  label,
  title,
  children,
  className,
}: {
  label: string;
  title?: string;
  children: ReactNode;
  className?: string;
}) {
  return (
    <div title={title} className={cn("min-w-0", className)}>
      <dt className="eyebrow">{label}</dt>
      <dd className="truncate font-medium">{children}</dd>
    </div>
  );
}

interface PropertyProps {
  name: ReactNode;
  title?: string;
  /** The name is long: it stands above its value where there is little room. */
  stacks?: boolean;
  children: ReactNode;
}

/** A row of a list of properties. */
export function Property({ name, title, stacks = false, children }: PropertyProps) {
  return (
    <div
      title={title}
      className={cn(
        "grid gap-x-3 border-b py-1.5 last:border-b-0",
        stacks ? "sm:grid-cols-[minmax(8rem,2fr)_3fr]" : "grid-cols-[minmax(8rem,2fr)_3fr]",
      )}
    >
      <dt className="wrap-anywhere text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </div>
  );
}
