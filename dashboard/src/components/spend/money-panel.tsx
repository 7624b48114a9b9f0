// What a job on rented machines costs, live, and the machine that it has.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { spendQuery } from "~/api/spend";
import type { Job, Phase, RentedInstance } from "~/api/types";
import { Figure } from "~/components/ui/misc";
import { Panel } from "~/components/ui/panel";
import { formatClock, formatPlural } from "~/lib/format";
import { formatUsd, formatUsdUp } from "~/lib/money";
import { InstancePhaseBadge } from "./instance-phase";
import { RaiseLimit } from "./job-limit";
import { forecastOf } from "./job-money";
import { LimitBar } from "./limit-bar";

interface Props {
  job: Job;
  /** The server's newest forecast, in micro-dollars. */
  forecast: number | null;
}

/** Its limit means nothing any more. */
const PAST: Phase[] = ["succeeded", "cancelled", "stopped", "failed"];

export function MoneyPanel({ job, forecast: told }: Props) {
  const { data: spend } = useQuery(spendQuery());
  const machines = spend?.instances.filter((instance) => instance.job_id === job.id) ?? [];
  const { limit_micro_usd, spent_micro_usd, rate_micro_usd } = job.spend;
  const limit = limit_micro_usd ?? 0;
  const reserved = sum(machines.filter(isHeld).map((one) => one.reserved_micro_usd - one.accrued_micro_usd));
  const forecast = forecastOf(job, told);
  return (
    <Panel
      title="Money"
      className="mb-4"
      bodyClassName=""
      aside={
        <span className="flex items-center gap-3">
          <Link
            to="/spend"
            search={{ job: job.id }}
            className="text-accent text-xs underline underline-offset-2"
          >
            Ledger of this job
          </Link>
          {!PAST.includes(job.phase) && <RaiseLimit job={job} />}
        </span>
      }
    >
      <div className="px-3 pt-3 pb-2">
        <LimitBar
          label="Spent of the limit"
          spent={spent_micro_usd}
          reserved={Math.max(0, reserved)}
          limit={limit}
          live={rate_micro_usd > 0}
        />
      </div>
      <dl className="grid grid-cols-2 gap-x-4 gap-y-3 border-t px-3 py-2.5 sm:grid-cols-4">
        <Figure label="Spent of limit">
          {formatUsdUp(spent_micro_usd)} <Of>/ {formatUsd(limit)}</Of>
        </Figure>
        <Figure label="Current rate">
          {formatUsdUp(rate_micro_usd)} <Of>per hour</Of>
        </Figure>
        <Figure label="Forecast total">
          {forecast === null ? (
            "–"
          ) : (
            <span className={forecast > limit ? "text-bad" : undefined}>
              {formatUsdUp(forecast)}
              {forecast > limit && " · over the limit"}
            </span>
          )}
        </Figure>
        <Figure label="Reserved">{formatUsdUp(Math.max(0, reserved))}</Figure>
      </dl>
      <Machine machine={machines[0]} n_earlier={Math.max(0, machines.length - 1)} />
    </Panel>
  );
}

/** The one that lives, or the last that did. */
function Machine({ machine, n_earlier }: { machine: RentedInstance | undefined; n_earlier: number }) {
  if (!machine) return <p className="border-t px-3 py-2 text-muted">No machine has been rented yet.</p>;
  const { gpu, n_gpus, phase, name, deadline_at, gone_at } = machine;
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-t px-3 py-2">
      <InstancePhaseBadge phase={phase} />
      <span className="font-medium">
        {n_gpus > 1 && `${n_gpus} × `}
        {gpu}
      </span>
      <span className="min-w-0 wrap-anywhere font-mono text-muted text-xs">{name}</span>
      <span className="text-muted text-xs sm:ml-auto">
        {gone_at
          ? `terminated at ${formatClock(new Date(gone_at))}`
          : `must end by ${formatClock(new Date(deadline_at))}`}
        {n_earlier > 0 && ` · ${formatPlural(n_earlier, "machine")} before it`}
      </span>
    </div>
  );
}

function Of({ children }: { children: React.ReactNode }) {
  return <span className="font-normal text-muted">{children}</span>;
}

function isHeld({ phase }: RentedInstance): boolean {
  return phase !== "gone";
}

function sum(amounts: number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
