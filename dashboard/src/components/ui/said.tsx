// What the server says, with names that stand between backticks set apart.
import { Fragment } from "react";

export function Said({ children }: { children: string }) {
  return children.split(/(`[^`\n]+`)/).map((part, i) => {
    const isName = part.length > 2 && part.startsWith("`") && part.endsWith("`");
    return isName ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text have no other name, and never move
      <code key={i} className="rounded-sm bg-sunken px-1 font-mono text-[0.9em]">
        {part.slice(1, -1)}
      </code>
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: as above
      <Fragment key={i}>{part}</Fragment>
    );
  });
}
