// Deletes at once, and offers to bring it back.
import { useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import type { ComponentProps } from "react";
import { restore, useDelete } from "~/api/trash";
import type { TrashItem } from "~/api/types";
import { Button } from "~/components/ui/button";
import { announce, announceError, announceUndo } from "~/components/ui/toast";

interface Props extends Pick<ComponentProps<typeof Button>, "size" | "variant"> {
  items: TrashItem[];
  /** What it is, for the message: `Version 2`. */
  what: string;
  /** What the button says. */
  label?: string;
  /** What happens when it was deleted: its page is left. */
  onDeleted?: () => void;
}

export function DeleteButton({ items, what, label = "Delete", onDeleted, ...style }: Props) {
  const queries = useQueryClient();
  const remove = useDelete();
  const undo = () =>
    void restore(queries, items).then(
      () => announce(`${what} restored`),
      (error: unknown) => announceError(`${what} not restored`, error),
    );
  return (
    <Button
      {...style}
      disabled={remove.isPending}
      onClick={() =>
        // Said even if the button is gone by then; a page that was left is not left again.
        void remove.mutateAsync(items, { onSuccess: () => onDeleted?.() }).then(
          () => announceUndo(`${what} deleted`, undo),
          (error: unknown) => announceError(`${what} not deleted`, error),
        )
      }
    >
      <Trash2 aria-hidden />
      {label}
    </Button>
  );
}
