// The rows of a job's page: every step that has previews or a checkpoint.
import type { Artifact, Job, Sample } from "~/api/types";
import type { Columns } from "~/live/series";

export interface StepRow {
  step: number;
  /** By prompt. */
  samples: Sample[];
  checkpoint: Artifact | undefined;
  /** Jobs that make, or made, a version of the checkpoint. */
  makers: Job[];
  /** The version of this job, or one that was made of the checkpoint. */
  versionId: string | undefined;
  isResult: boolean;
}

/** The jobs that make, or made, a version of this step of a job. */
export function makersOf(jobs: Job[], id: string, step: number): Job[] {
  return jobs.filter((job) => job.version_of === id && job.checkpoint_step === step);
}

type Made = Pick<StepRow, "makers" | "versionId" | "isResult">;

/** What was made of the checkpoint of a step of a job. */
export function madeOf(job: Job, jobs: Job[], step: number): Made {
  const isResult = job.phase === "succeeded" && job.progress?.step === step;
  const makers = makersOf(jobs, job.id, step);
  const made = makers.find((maker) => maker.model_version_id)?.model_version_id;
  return { makers, versionId: (isResult ? job.model_version_id : made) ?? undefined, isResult };
}

/** Every step with a preview or a stored checkpoint, the first one first; of several files of one step, the newest. */
export function stepRows(job: Job, samples: Sample[], files: Artifact[], jobs: Job[]): StepRow[] {
  const checkpoints = new Map<number, Artifact>();
  for (const file of files) if (file.kind === "checkpoint") checkpoints.set(file.step, file);
  const pictures = new Map<number, Map<number, Sample>>();
  for (const sample of samples) {
    const ofStep = pictures.get(sample.step) ?? new Map<number, Sample>();
    ofStep.set(sample.prompt_index, sample);
    pictures.set(sample.step, ofStep);
  }
  const steps = [...new Set([...checkpoints.keys(), ...pictures.keys()])].sort((a, b) => a - b);
  return steps.map((step) => {
    return {
      step,
      samples: [...(pictures.get(step)?.values() ?? [])].sort((a, b) => a.prompt_index - b.prompt_index),
      checkpoint: checkpoints.get(step),
      ...madeOf(job, jobs, step),
    };
  });
}

/** When a row came about. */
export function timeOf({ checkpoint, samples }: StepRow): string | undefined {
  return checkpoint?.created_at ?? samples[0]?.created_at;
}

/** Steps on each side that count as around a step. */
const AROUND = 5;

/** Mean loss of the steps around one, and the learning rate of the last step up to it. Nothing before the first step. */
export function around(
  { step: steps, loss, rate }: Columns,
  step: number,
): { loss: number; rate: number } | null {
  let last = -1;
  while (last + 1 < steps.length && (steps[last + 1] ?? 0) <= step) last += 1;
  if (last < 0) return null;
  let sum = 0;
  let n = 0;
  for (let i = Math.max(0, last - AROUND); i <= Math.min(steps.length - 1, last + AROUND); i++) {
    const value = loss[i] ?? Number.NaN;
    if (!Number.isFinite(value)) continue;
    sum += value;
    n += 1;
  }
  return { loss: sum / n, rate: rate[last] ?? Number.NaN };
}
