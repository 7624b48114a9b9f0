// Cleaning up by rules: what they name is shown first, and can be brought back afterwards.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { cleanUpQuery, restore, useCleanUp } from "~/api/trash";
import type { CleanUp } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Input } from "~/components/ui/field";
import { Panel } from "~/components/ui/panel";
import { announce, announceError, announceUndo } from "~/components/ui/toast";
import { formatBytes } from "~/lib/format";
import { useSettled } from "~/lib/use-settled";
import { NO_RULES, RULES, rulesOf, type WrittenRules } from "./rules";
import { counted } from "./words";

/** Names that are shown; the rest is counted. */
const FEW = 8;

export function CleanUpPanel() {
  const [written, setWritten] = useState<WrittenRules>(NO_RULES);
  const rules = rulesOf(written);
  const settled = useSettled(rules, 300);
  return (
    <Panel title="Storage">
      <p className="mb-3 text-muted">
        Clean up by rules. Kept in any case: whatever is in use or has a star, approved versions, and the
        version that a model is used by. What is deleted can be restored for seven days.
      </p>
      <ul className="flex flex-col gap-2">
        {RULES.map(({ key, before, after }) => (
          <li key={key} className="flex flex-wrap items-center gap-2">
            {before}
            <Input
              type="number"
              aria-label={`${before} … ${after}`}
              min={1}
              value={written[key]}
              onChange={({ target }) => setWritten((rest) => ({ ...rest, [key]: target.value }))}
              className="w-20"
            />
            {after}
          </li>
        ))}
      </ul>
      {Object.keys(settled).length > 0 && <Named rules={settled} />}
    </Panel>
  );
}

/** What the rules name, and the button that deletes it. */
function Named({ rules }: { rules: CleanUp }) {
  const queries = useQueryClient();
  const cleanUp = useCleanUp();
  const { data: named, error } = useQuery(cleanUpQuery(rules));
  if (error) return <p className="mt-3 text-bad">Enter whole numbers from 1 on.</p>;
  if (!named) return null;
  if (named.items.length === 0) return <p className="mt-3 text-muted">The rules name nothing now.</p>;
  const start = () =>
    // Said even if the page was left meanwhile.
    void cleanUp.mutateAsync(rules).then(
      ({ items }) => {
        const ids = items.map(({ kind, id }) => ({ kind, id }));
        announceUndo(
          `${counted(items)} deleted`,
          () =>
            void restore(queries, ids).then(
              () => announce("Everything restored"),
              (error: unknown) => announceError("Nothing restored", error),
            ),
        );
      },
      (error: unknown) => announceError("Nothing deleted", error),
    );
  const left = named.items.length - FEW;
  return (
    <div className="mt-3 border-t pt-3">
      <p>
        {counted(named.items)}, {formatBytes(named.total_bytes)}
        {named.has_more && "; there is more for another time"}
      </p>
      <p className="wrap-anywhere mt-1 line-clamp-3 text-muted text-xs">
        {named.items
          .slice(0, FEW)
          .map(({ name }) => name)
          .join(" · ")}
        {left > 0 && ` and ${left} more`}
      </p>
      <Button className="mt-2" onClick={start} disabled={cleanUp.isPending}>
        <Trash2 aria-hidden />
        Clean up
      </Button>
    </div>
  );
}
