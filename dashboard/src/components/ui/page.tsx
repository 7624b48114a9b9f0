// The frame of every page: its title, its actions, its content.
import { type ReactNode, useEffect } from "react";
import { cn } from "~/lib/cn";
import { useUnseenEnds } from "~/lib/unseen-ends";

interface Props {
  title: string;
  /** Title of the browser tab, when it is more than the heading. */
  tabTitle?: string;
  above?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  /** A column that is easy to read, for pages of text and fields. */
  narrow?: boolean;
  children: ReactNode;
}

export function Page({ title, tabTitle = title, above, description, actions, narrow, children }: Props) {
  const n_unseen = useUnseenEnds();
  useEffect(() => {
    document.title = `${n_unseen > 0 ? `(${n_unseen}) ` : ""}${tabTitle} · Morpheus`;
  }, [tabTitle, n_unseen]);
  return (
    <div
      className={cn(
        "mx-auto w-full px-4 pt-4 pb-24 md:px-6 md:pt-5 md:pb-10",
        narrow ? "max-w-3xl" : "max-w-[88rem]",
      )}
    >
      <header className="mb-4 flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
        <div className="min-w-0">
          {above && <div className="mb-1 text-muted text-xs">{above}</div>}
          <h1 className="display break-words text-2xl">{title}</h1>
          {description && <div className="mt-1 text-muted">{description}</div>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}
