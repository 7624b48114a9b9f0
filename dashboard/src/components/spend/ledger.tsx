// The ledger: every movement of money between what is available, reserved and spent.

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import { describeError } from "~/api/problem";
import { ledgerQuery } from "~/api/spend";
import type { Job, LedgerEntry, LedgerKind } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Skeleton } from "~/components/ui/misc";
import { Panel } from "~/components/ui/panel";
import { Said } from "~/components/ui/said";
import { formatDate, formatName, formatPlural, formatSentence } from "~/lib/format";
import { formatUsdColumn } from "~/lib/money";

interface Props {
  /** Whose entries; null for all. */
  job: string | null;
  jobs: Job[];
  onAll: () => void;
}

const MEANINGS: Record<LedgerKind, string> = {
  reserve: "Reserved for a machine's worst case",
  top_up: "More reserved because the price rose",
  accrue: "Spent",
  release: "Released: not needed",
  true_up: "Adjusted to the provider's bill",
};

export function Ledger({ job, jobs, onAll }: Props) {
  const { data: entries, error } = useQuery(ledgerQuery(job));
  const name = (id: string) => jobs.find((one) => one.id === id)?.recipe.name ?? "a job";
  return (
    <Panel
      title={job ? `Ledger of ${name(job)}` : "Ledger"}
      aside={
        job ? (
          <Button size="sm" onClick={onAll}>
            <X aria-hidden />
            Show all jobs
          </Button>
        ) : (
          entries &&
          entries.length > 0 && (
            <span className="text-muted text-xs">
              {formatPlural(entries.length, "entry", "entries")}, the newest first
            </span>
          )
        )
      }
      bodyClassName=""
    >
      {error ? (
        <p role="alert" className="p-3 text-bad">
          <Said>{formatSentence(describeError(error))}</Said>
        </p>
      ) : !entries ? (
        <Skeleton className="m-3 h-24" />
      ) : entries.length === 0 ? (
        <p className="p-3 text-muted">No entries yet.</p>
      ) : (
        <section
          aria-label="Entries"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
          tabIndex={0}
          // Visually hidden text in its rows is positioned: without this, it would make the page longer.
          className="relative max-h-[28rem] overflow-auto -outline-offset-2"
        >
          <Entries entries={entries} name={job ? null : name} />
        </section>
      )}
    </Panel>
  );
}

function Entries({ entries, name }: { entries: LedgerEntry[]; name: ((id: string) => string) | null }) {
  return (
    <table className="w-full border-collapse text-left">
      <thead className="eyebrow sticky top-0 z-10 bg-surface">
        <tr className="h-8 border-b [&>th]:px-3 [&>th]:font-medium">
          <th scope="col" className="hidden sm:table-cell">
            Time
          </th>
          <th scope="col">What</th>
          <th scope="col">Movement</th>
          {name && <th scope="col">For</th>}
          <th scope="col" className="text-right">
            Amount
          </th>
        </tr>
      </thead>
      <tbody>
        {entries.map((entry, at) => (
          <tr
            // biome-ignore lint/suspicious/noArrayIndexKey: entries have no id; counted from the oldest, their places stay
            key={entries.length - at}
            title={entry.instance}
            className="h-8 border-b last:border-b-0 [&>td]:px-3 [&>td]:py-1"
          >
            <td className="hidden whitespace-nowrap text-muted text-xs sm:table-cell">
              <time dateTime={entry.at}>{formatDate(entry.at)}</time>
            </td>
            <td title={MEANINGS[entry.kind]} className="font-medium">
              {formatName(entry.kind)}
            </td>
            <td className="text-muted">
              {entry.from} <span aria-hidden>→</span>
              <span className="sr-only">to</span> {entry.to}
            </td>
            {name && (
              <td>
                {entry.job_id ? (
                  <Link
                    to="/spend"
                    search={{ job: entry.job_id }}
                    resetScroll={false}
                    className="text-accent underline underline-offset-2"
                  >
                    {name(entry.job_id)}
                  </Link>
                ) : (
                  entry.drawing_session
                )}
              </td>
            )}
            <td className="text-right">{formatUsdColumn(entry.amount_micro_usd)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
