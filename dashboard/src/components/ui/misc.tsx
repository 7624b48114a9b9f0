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
  children,
  className,
}: {
  label: string;
  children: ReactNode;
  className?: string;
}) {
  return (
    <div className={cn("min-w-0", className)}>
      <dt className="eyebrow">{label}</dt>
      <dd className="truncate font-medium">{children}</dd>
    </div>
  );
}

/** A row of a list of properties. */
export function Property({ name, title, children }: { name: string; title?: string; children: ReactNode }) {
  return (
    <div
      title={title}
      className="grid grid-cols-[minmax(8rem,2fr)_3fr] gap-3 border-b py-1.5 last:border-b-0"
    >
      <dt className="break-words text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </div>
  );
}
