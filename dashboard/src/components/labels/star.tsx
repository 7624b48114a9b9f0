// A star: one of the owner's favorites.
import { Star as Icon } from "lucide-react";
import { useUpdateLabel } from "~/api/labels";
import type { Labeled } from "~/api/types";
import { Button } from "~/components/ui/button";
import { announceError } from "~/components/ui/toast";
import { cn } from "~/lib/cn";

interface Props {
  kind: Labeled;
  id: string;
  /** What has it. */
  name: string;
  starred: boolean;
  className?: string;
}

export function Star({ kind, id, name, starred, className }: Props) {
  const update = useUpdateLabel(kind);
  return (
    <Button
      variant="ghost"
      size="icon-sm"
      aria-pressed={starred}
      aria-label={`Star ${name}`}
      title={starred ? "Take the star away" : "Give a star"}
      onClick={() =>
        update.mutate(
          { id, change: { starred: !starred } },
          { onError: (error) => announceError("The star was not changed", error) },
        )
      }
      className={cn(starred && "text-accent", className)}
    >
      <Icon aria-hidden className={starred ? "fill-current" : ""} />
    </Button>
  );
}
