// When a job will be done, and how long it took.
import type { Job } from "~/api/types";
import { isEnded } from "~/components/phase";
import { formatClock, formatDuration } from "~/lib/format";

/** `2 min 10 s` to the last step; nothing when no step was done or no more will be. */
export function remaining(job: Job): string | null {
  if (job.phase !== "running" || !job.progress) return null;
  return formatDuration(job.progress.eta_seconds);
}

/** `14:32` */
export function doneAt(job: Job, now: number): string | null {
  if (job.phase !== "running" || !job.progress) return null;
  return formatClock(new Date(now + job.progress.eta_seconds * 1000), new Date(now));
}

/** Time from the first work on it to its end, or until now. */
export function elapsed(job: Job, now: number): string | null {
  if (!job.started_at) return null;
  const end = isEnded(job.phase) && job.ended_at ? Date.parse(job.ended_at) : now;
  return formatDuration((end - Date.parse(job.started_at)) / 1000);
}

/** From 0 to 1; null before the first step. */
export function share(job: Job): number | null {
  if (job.phase === "succeeded") return 1;
  return job.progress ? job.progress.step / job.progress.n_steps : null;
}

/** The color of a job's progress bar. */
export function tone(job: Job): "accent" | "good" | "bad" | "muted" {
  if (job.phase === "succeeded") return "good";
  if (job.phase === "failed") return "bad";
  return isEnded(job.phase) ? "muted" : "accent";
}
