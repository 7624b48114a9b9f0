// What a job is doing right now: phase, progress, and the numbers that move.
import type { Job } from "~/api/types";
import { PhaseBadge } from "~/components/phase";
import { Figure } from "~/components/ui/misc";
import { Progress } from "~/components/ui/progress";
import { Said } from "~/components/ui/said";
import { formatCount, formatLoss, formatSentence } from "~/lib/format";
import { useNow } from "~/lib/use-now";
import type { Stage } from "~/live/reduce";
import { doneAt, elapsed, remaining, share, tone } from "./eta";
import { NamedPictures, useNamedPictures, withNames } from "./named-pictures";

interface Props {
  job: Job;
  stage: Stage | null;
}

export function JobHeader({ job, stage }: Props) {
  const now = useNow(1_000, job.ended_at == null);
  const { progress } = job;
  // The bar and the percentage show the progress of what the sentence names.
  const done = (stage && stageShare(stage)) ?? share(job) ?? 0;
  const n_steps = progress?.n_steps ?? job.recipe.parameters.n_steps;
  const left = remaining(job);
  const said = saidBy(job);
  const pictures = useNamedPictures(job);
  return (
    <section aria-label="Progress" className="mb-4 rounded-lg border bg-surface">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 pt-3">
        <PhaseBadge phase={job.phase} />
        <p className="wrap-anywhere min-w-0 flex-1 text-muted">
          <Said>{withNames(sentence(job, stage), pictures)}</Said>
        </p>
        <span className="display text-2xl" data-figures data-testid="percent">
          {Math.floor(done * 100)}
          <span className="text-base text-muted">%</span>
        </span>
      </div>
      <NamedPictures pictures={pictures} />
      {said && (
        <pre className="mx-3 mt-2 whitespace-pre-wrap wrap-anywhere rounded-md bg-sunken p-2.5 font-mono text-xs">
          {said}
        </pre>
      )}
      <div className="px-3 pt-2 pb-3">
        <Progress
          label="Progress of this job"
          value={done}
          live={job.phase === "running" || job.phase === "finalizing"}
          tone={tone(job)}
          className="h-2.5"
        />
      </div>
      <dl className="grid grid-cols-2 gap-x-4 gap-y-3 border-t px-3 py-2.5 sm:grid-cols-3 lg:grid-cols-6">
        <Figure label="Epoch">
          {progress ? (
            <>
              {formatCount(progress.epoch)} <Of>/ {formatCount(progress.n_epochs)}</Of>
            </>
          ) : (
            "–"
          )}
        </Figure>
        <Figure label="Step">
          {formatCount(progress?.step ?? 0)} <Of>/ {formatCount(n_steps)}</Of>
        </Figure>
        <Figure label={left ? "Done at" : "Duration"}>
          {left ? (
            <>
              {doneAt(job, now)} <Of>in {left}</Of>
            </>
          ) : (
            (elapsed(job, now) ?? "–")
          )}
        </Figure>
        <Figure label="Current loss">{progress ? formatLoss(progress.loss) : "–"}</Figure>
        <Figure
          label="Average loss"
          title="Mean over the steps of the last epoch. The curve “Smoothed” weighs newer steps more."
        >
          {progress ? formatLoss(progress.average_loss) : "–"}
        </Figure>
        <Figure label="Time per step">{progress ? `${Math.round(progress.step_ms)} ms` : "–"}</Figure>
      </dl>
    </section>
  );
}

function Of({ children }: { children: React.ReactNode }) {
  return <span className="font-normal text-muted">{children}</span>;
}

/** The lines of a program that failed, which follow the reason's first. */
function saidBy({ reason }: Job): string | null {
  const end = reason?.indexOf("\n") ?? -1;
  return end < 0 ? null : (reason?.slice(end + 1) ?? null);
}

/** How far a stage is; nothing if it has no parts. */
function stageShare({ done, total }: Stage): number | null {
  return total > 1 ? done / total : null;
}

function sentence(job: Job, stage: Stage | null): string {
  const reason = job.reason?.split("\n", 1)[0];
  if (reason) return formatSentence(reason);
  if (stage) {
    const parts =
      stageShare(stage) === null ? "" : `, ${formatCount(stage.done)} of ${formatCount(stage.total)}`;
    return formatSentence(stage.name + parts);
  }
  switch (job.phase) {
    case "queued":
      return "Waiting for a machine.";
    case "launching":
      return "The machine is starting.";
    case "running":
      if (job.version_of) return "The checkpoint is loaded and checked.";
      if (job.is_finishing) {
        const end = job.recipe.engine === "kohya" ? "checkpoint" : "step";
        return `Ends with the next ${end}, and becomes a version.`;
      }
      return job.progress ? "Training." : "Training starts.";
    case "finalizing":
      return "Trained. The result is being checked and stored.";
    case "stopping":
      return "A checkpoint is stored, then it stops.";
    case "cancelling":
      return "Waiting for the machine to stop.";
    case "stopped":
      return "Ended before its last step. It can be resumed.";
    case "cancelled":
      return "Ended without a model. It cannot be resumed.";
    case "failed":
      return "Failed with an error.";
    case "succeeded":
      return job.version_of ? "The version is made." : "Trained, checked and stored.";
  }
}
