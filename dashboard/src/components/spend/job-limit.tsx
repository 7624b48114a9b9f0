// A job's limit: raising it, and resuming the job with another one.
import { RotateCw, TrendingUp } from "lucide-react";
import { useResumeWithLimit, useSetJobLimit } from "~/api/spend";
import type { Job } from "~/api/types";
import { Button } from "~/components/ui/button";
import { announce } from "~/components/ui/toast";
import { formatSentence } from "~/lib/format";
import { formatUsd } from "~/lib/money";
import { isAtLimit } from "./job-money";
import { LimitDialog } from "./limit-dialog";

export function RaiseLimit({ job }: { job: Job }) {
  const set = useSetJobLimit(job.id);
  const { limit_micro_usd, spent_micro_usd, reserved_micro_usd } = job.spend;
  return (
    <LimitDialog
      name={`raise:${job.id}`}
      trigger={(open) => (
        <Button size="sm" onClick={open}>
          <TrendingUp aria-hidden />
          Raise limit
        </Button>
      )}
      title="Raise the limit"
      description="A machine that is already running keeps its reservation; the new limit applies from the next one."
      action="Set the limit"
      limit={limit_micro_usd ?? null}
      least={Math.max(1, spent_micro_usd + reserved_micro_usd)}
      help={`For the whole job, across all machines. ${formatUsd(spent_micro_usd)} is already spent.`}
      mutation={set}
      onDone={(limit) => announce(`The limit is now ${formatUsd(limit)}`)}
    />
  );
}

/** In place of a plain button, where going on costs money. */
export function ResumeWithLimit({ job }: { job: Job }) {
  const resume = useResumeWithLimit(job.id);
  const { limit_micro_usd, spent_micro_usd } = job.spend;
  const from = job.checkpoint_step == null ? "" : ` from step ${job.checkpoint_step}`;
  const title = isAtLimit(job) ? "Resume with a higher limit" : `Resume${from}`;
  return (
    <LimitDialog
      name={`resume:${job.id}`}
      trigger={(open) => (
        <Button variant="primary" onClick={open}>
          <RotateCw aria-hidden />
          {title}
        </Button>
      )}
      title={title}
      {...(job.reason && { description: formatSentence(job.reason) })}
      action={`Resume${from}`}
      limit={isAtLimit(job) ? null : (limit_micro_usd ?? null)}
      least={spent_micro_usd + 1}
      help={`${formatUsd(spent_micro_usd)} of ${formatUsd(limit_micro_usd ?? 0)} is already spent and counts toward the limit.`}
      mutation={resume}
      onDone={() => announce("The job is queued again")}
    />
  );
}
