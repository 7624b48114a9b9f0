// What was deleted in the last days, and how to bring it back.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { RotateCcw } from "lucide-react";
import { useState } from "react";
import { restore, trashQuery } from "~/api/trash";
import type { TrashItem } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Panel } from "~/components/ui/panel";
import { announce, announceError } from "~/components/ui/toast";
import { formatAgo, formatDay } from "~/lib/format";
import { KINDS } from "./words";

/** More are shown when they are asked for. */
const FEW = 10;

export function TrashPanel() {
  const queries = useQueryClient();
  const { data: trash = [] } = useQuery(trashQuery());
  const [showsAll, setShowsAll] = useState(false);
  const bringBack = ({ kind, id }: TrashItem, name: string) =>
    void restore(queries, [{ kind, id }]).then(
      () => announce(`${name} restored`),
      (error: unknown) => announceError(`${name} not restored`, error),
    );
  return (
    <Panel title="Recently deleted">
      {trash.length === 0 ? (
        <p className="text-muted">Nothing. What you delete stays here for seven days.</p>
      ) : (
        <ul className="divide-y">
          {trash.slice(0, showsAll ? trash.length : FEW).map((item) => (
            <li
              key={`${item.kind} ${item.id}`}
              className="flex items-center gap-3 py-1.5 first:pt-0 last:pb-0"
            >
              <div className="min-w-0 flex-1">
                <p className="truncate font-medium">{item.name}</p>
                <p className="text-muted text-xs">
                  {KINDS[item.kind]}, deleted {formatAgo(item.deleted_at)}, kept until{" "}
                  {formatDay(item.restorable_until)}
                </p>
              </div>
              <Button size="sm" onClick={() => bringBack(item, KINDS[item.kind])}>
                <RotateCcw aria-hidden />
                Restore
              </Button>
            </li>
          ))}
        </ul>
      )}
      {!showsAll && trash.length > FEW && (
        <Button size="sm" variant="ghost" className="mt-2" onClick={() => setShowsAll(true)}>
          Show all {trash.length}
        </Button>
      )}
    </Panel>
  );
}
