// A bordered part of a page, with a heading.
import type { ReactNode } from "react";
import { cn } from "~/lib/cn";

interface Props {
  /** What links lead to. */
  id?: string;
  title: string;
  /** What stands right of the heading: a count, a switch. */
  aside?: ReactNode;
  className?: string;
  bodyClassName?: string;
  children: ReactNode;
}

export function Panel({ id, title, aside, className, bodyClassName = "p-3", children }: Props) {
  return (
    <section
      id={id}
      aria-label={title}
      className={cn("min-w-0 scroll-mt-16 rounded-lg border bg-surface", className)}
    >
      <header className="flex min-h-10 flex-wrap items-center justify-between gap-x-4 gap-y-1 border-b px-3 py-1.5">
        <h2 className="font-semibold">{title}</h2>
        {aside}
      </header>
      <div className={bodyClassName}>{children}</div>
    </section>
  );
}
