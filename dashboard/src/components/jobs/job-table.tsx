// All jobs with where they stand: a table on wide screens, cards on narrow ones.
import { Link } from "@tanstack/react-router";
import { Repeat2 } from "lucide-react";
import type { ReactNode } from "react";
import type { Job, Label } from "~/api/types";
import { Star } from "~/components/labels/star";
import { Tags } from "~/components/labels/tags";
import { PhaseBadge } from "~/components/phase";
import { StampBadge } from "~/components/results/stamps";
import { ButtonLink } from "~/components/ui/button";
import { Progress } from "~/components/ui/progress";
import { formatAgo, formatCount, formatDate, formatLoss, formatName } from "~/lib/format";
import { useNow } from "~/lib/use-now";
import { MOST_COMPARED } from "./compare/picked";
import { doneAt, elapsed, remaining, share, tone } from "./eta";

interface Props {
  jobs: Job[];
  /** Stars and tags by the ids of jobs. */
  labels: ReadonlyMap<string, Label>;
  /** Ids of the jobs that are ticked to be compared. */
  picked: string[];
  onPick: (id: string) => void;
}

export function JobTable({ jobs, labels, picked, onPick }: Props) {
  const now = useNow(5_000);
  const tick = (job: Job) => {
    const isPicked = picked.includes(job.id);
    return (
      <input
        type="checkbox"
        aria-label={`Compare ${job.recipe.name}`}
        checked={isPicked}
        disabled={!isPicked && picked.length >= MOST_COMPARED}
        onChange={() => onPick(job.id)}
        className="relative z-10 block size-4 accent-accent"
      />
    );
  };
  return (
    <>
      <div className="hidden overflow-x-auto rounded-lg border bg-surface lg:block">
        <table className="w-full border-collapse text-left">
          <thead className="eyebrow border-b">
            <tr className="h-8 [&>th]:px-3 [&>th]:font-medium">
              <th scope="col" className="w-8">
                <span className="sr-only">Compare</span>
              </th>
              <th scope="col">Name</th>
              <th scope="col">Phase</th>
              <th scope="col" className="w-64">
                Progress
              </th>
              <th scope="col" className="text-right">
                Loss
              </th>
              <th scope="col">Time</th>
              <th scope="col">Created</th>
            </tr>
          </thead>
          <tbody>
            {jobs.map((job) => (
              <Row key={job.id} job={job} label={labels.get(job.id)} now={now} tick={tick(job)} />
            ))}
          </tbody>
        </table>
      </div>
      <ul className="flex flex-col gap-2 lg:hidden">
        {jobs.map((job) => (
          <Card key={job.id} job={job} label={labels.get(job.id)} now={now} tick={tick(job)} />
        ))}
      </ul>
    </>
  );
}

interface RowProps {
  job: Job;
  now: number;
}

interface TickedProps extends RowProps {
  tick: ReactNode;
  label: Label | undefined;
}

function Row({ job, label, now, tick }: TickedProps) {
  return (
    <tr className="group relative h-13 border-b transition-colors last:border-b-0 focus-within:bg-hover hover:bg-hover [&>td]:px-3">
      <td>{tick}</td>
      <td>
        <JobLink job={job} />
        <div className="text-muted text-xs">{subtitle(job)}</div>
        <Tags tags={label?.tags ?? []} />
      </td>
      <td>
        <span className="flex flex-wrap gap-1">
          <PhaseBadge phase={job.phase} />
          {job.stamp && <StampBadge stamp={job.stamp} />}
        </span>
      </td>
      <td>
        <Bar job={job} />
      </td>
      <td className="text-right">{job.progress ? formatLoss(job.progress.average_loss) : "–"}</td>
      <td className="whitespace-nowrap">
        <Time job={job} now={now} />
      </td>
      <td className="whitespace-nowrap text-muted">
        <div className="flex items-center justify-between gap-2">
          <time dateTime={job.created_at} title={formatDate(job.created_at)}>
            {formatAgo(job.created_at, now)}
          </time>
          <span className="flex">
            <JobStar job={job} label={label} />
            <Again job={job} />
          </span>
        </div>
      </td>
    </tr>
  );
}

function Card({ job, label, now, tick }: TickedProps) {
  return (
    <li className="relative rounded-lg border bg-surface p-3 transition-colors hover:bg-hover">
      <div className="flex items-start justify-between gap-3">
        {tick}
        <div className="min-w-0 flex-1">
          <JobLink job={job} />
          <div className="text-muted text-xs">{subtitle(job)}</div>
          <Tags tags={label?.tags ?? []} />
        </div>
        <span className="flex shrink-0 items-center">
          <PhaseBadge phase={job.phase} />
          <JobStar job={job} label={label} />
          <Again job={job} />
        </span>
      </div>
      {job.stamp && (
        <p className="mt-2">
          <StampBadge stamp={job.stamp} />
        </p>
      )}
      <div className="mt-3">
        <Bar job={job} />
      </div>
      <div className="mt-1.5 flex justify-between text-muted text-xs">
        <span>
          {job.progress ? `Loss ${formatLoss(job.progress.average_loss)}` : formatAgo(job.created_at, now)}
        </span>
        <span>
          <Time job={job} now={now} />
        </span>
      </div>
    </li>
  );
}

/** Above the link whose area is the whole row. */
function JobStar({ job, label }: { job: Job; label: Label | undefined }) {
  return (
    <Star
      kind="job"
      id={job.id}
      name={job.recipe.name}
      starred={label?.starred ?? false}
      className="relative z-10"
    />
  );
}

/** Above the link whose area is the whole row. */
function Again({ job }: { job: Job }) {
  if (job.version_of) return null;
  return (
    <ButtonLink
      to="/jobs/new"
      search={{ again: job.id }}
      variant="ghost"
      size="icon-sm"
      aria-label={`Train ${job.recipe.name} again`}
      title="Train again"
      className="relative z-10"
    >
      <Repeat2 aria-hidden />
    </ButtonLink>
  );
}

/** The link whose area is the whole row. */
function JobLink({ job }: { job: Job }) {
  return (
    <Link
      data-row
      to="/jobs/$jobId"
      params={{ jobId: job.id }}
      className="block truncate font-medium after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-accent focus-visible:after:-outline-offset-2"
    >
      {job.recipe.name}
    </Link>
  );
}

function Bar({ job }: { job: Job }) {
  const { progress } = job;
  const n_steps = progress?.n_steps ?? job.recipe.parameters.n_steps;
  return (
    <div className="flex items-center gap-3">
      <Progress
        label={`Progress of ${job.recipe.name}`}
        value={share(job) ?? 0}
        live={job.phase === "running"}
        tone={tone(job)}
        className="h-1.5 min-w-20 flex-1"
      />
      <span className="min-w-20 text-right text-muted text-xs">
        {formatCount(progress?.step ?? 0)} / {formatCount(n_steps)}
      </span>
    </div>
  );
}

function Time({ job, now }: RowProps) {
  const left = remaining(job);
  if (left) {
    return (
      <>
        {left} left <span className="text-muted">· {doneAt(job, now)}</span>
      </>
    );
  }
  const took = elapsed(job, now);
  return <span className="text-muted">{took ?? "–"}</span>;
}

function subtitle(job: Job): string {
  const { base_model, preset, trigger_word } = job.recipe;
  if (job.version_of) return `Version of step ${formatCount(job.checkpoint_step ?? 0)} · ${base_model}`;
  if (job.note) return [formatName(preset), base_model, job.note].join(" · ");
  return [formatName(preset), base_model, trigger_word].filter(Boolean).join(" · ");
}
