// The stored checkpoints of a job: each can be downloaded, and made into a version of the model.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { artifactsQuery } from "~/api/jobs";
import { jobsQuery } from "~/api/queries";
import type { Artifact, Job } from "~/api/types";
import { isEnded, PhaseBadge } from "~/components/phase";
import { buttonClass } from "~/components/ui/button";
import { Panel } from "~/components/ui/panel";
import { formatBytes, formatCount, formatDate } from "~/lib/format";
import { MakeVersion } from "./make-version";

export interface Checkpoint {
  step: number;
  file: Artifact;
}

/** The newest file of each step, the latest step first. */
export function checkpointsOf(files: Artifact[]): Checkpoint[] {
  const bySteps = new Map<number, Artifact>();
  for (const file of files) if (file.kind === "checkpoint") bySteps.set(file.step, file);
  return [...bySteps].map(([step, file]) => ({ step, file })).sort((a, b) => b.step - a.step);
}

/** The jobs that make, or made, a version of this step of a job. */
export function makersOf(jobs: Job[], id: string, step: number): Job[] {
  return jobs.filter((job) => job.version_of === id && job.checkpoint_step === step);
}

export function Checkpoints({ job }: { job: Job }) {
  const { data: files = [] } = useQuery(artifactsQuery(job.id));
  const { data: jobs = [] } = useQuery(jobsQuery());
  const checkpoints = checkpointsOf(files);
  if (checkpoints.length === 0 || job.version_of) return null;
  return (
    <Panel
      title="Checkpoints"
      aside={
        <span className="text-muted text-xs">
          {isEnded(job.phase)
            ? "Older ones are deleted a day after the end"
            : "Any of them can become a version"}
        </span>
      }
      bodyClassName="p-0"
    >
      <ul className="divide-y" aria-label="Stored checkpoints">
        {checkpoints.map((checkpoint) => (
          <Row
            key={checkpoint.step}
            job={job}
            checkpoint={checkpoint}
            makers={makersOf(jobs, job.id, checkpoint.step)}
          />
        ))}
      </ul>
    </Panel>
  );
}

interface RowProps {
  job: Job;
  checkpoint: Checkpoint;
  makers: Job[];
}

function Row({ job, checkpoint: { step, file }, makers }: RowProps) {
  const isResult = job.phase === "succeeded" && job.progress?.step === step;
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-2 px-3 py-2">
      <div className="min-w-32 flex-1">
        <p className="font-medium">Step {formatCount(step)}</p>
        <p className="text-muted text-xs">
          {formatBytes(file.size_bytes)} ·{" "}
          <time dateTime={file.created_at}>{formatDate(file.created_at)}</time>
        </p>
      </div>
      {makers.map((maker) => (
        <Link
          key={maker.id}
          to="/jobs/$jobId"
          params={{ jobId: maker.id }}
          className="inline-flex items-center gap-1.5 text-accent text-xs underline underline-offset-2"
        >
          Version <PhaseBadge phase={maker.phase} />
        </Link>
      ))}
      {isResult ? (
        <span className="text-muted text-xs">Is the version of this job</span>
      ) : (
        <MakeVersion job={job} step={step} />
      )}
      <a
        href={file.url}
        download={file.file_name}
        aria-label={`Download the checkpoint of step ${step}`}
        title="The state to resume from. For a LoRA file that other programs read, make a version."
        className={buttonClass({ size: "sm" })}
      >
        <Download aria-hidden />
        Download
      </a>
    </li>
  );
}
