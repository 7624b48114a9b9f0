// What a page shows when there is nothing yet: penciled panels, and the next thing to do.
import type { ReactNode } from "react";

interface Props {
  title: string;
  children: ReactNode;
  action?: ReactNode;
}

export function Empty({ title, children, action }: Props) {
  return (
    <div className="flex flex-col items-center gap-5 rounded-lg border border-dashed px-6 py-12 text-center sm:flex-row sm:justify-center sm:gap-8 sm:text-left">
      <Panels />
      <div className="max-w-sm">
        <h2 className="display text-lg">{title}</h2>
        <div className="mt-1 text-muted">{children}</div>
        {action && <div className="mt-4 flex flex-wrap justify-center gap-2 sm:justify-start">{action}</div>}
      </div>
    </div>
  );
}

/** A comic page before anything is drawn on it. */
function Panels() {
  return (
    <svg
      aria-hidden="true"
      viewBox="0 0 120 132"
      className="h-32 w-auto shrink-0"
      fill="none"
      stroke="var(--pencil)"
    >
      <g strokeWidth="1.5" strokeDasharray="5 3.5" strokeLinejoin="round">
        <path d="M4 4h66l-8 56H4z" />
        <path d="M77 4h39v56H69z" />
        <path d="M4 67h112v61H4z" />
      </g>
      <g strokeWidth="1" opacity=".55">
        <circle cx="36" cy="27" r="12" />
        <path d="M17 60c1-14 9-20 19-20s18 6 19 20M36 15v24M24 27h24" />
        <path d="M4 112c30-18 60-18 112-6M28 128l14-40 16 26 14-18 20 32" />
      </g>
    </svg>
  );
}
