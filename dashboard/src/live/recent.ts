// Events that came while jobs were being fetched: an answer that is older than they are catches up with them. An
// answer to what is asked later has them, so nothing is kept while nothing is being fetched.
import type { Job, JobEvent } from "~/api/types";
import { reduceJob } from "./reduce";

const recent = new Map<string, JobEvent[]>();

/** Remembers events that change a job: all but steps, and the newest step. */
export function record(id: string, events: JobEvent[]): void {
  const known = recent.get(id) ?? [];
  const last = known.at(-1)?.seq ?? 0;
  const fresh = events.filter((event) => event.seq > last);
  if (fresh.length === 0) return;
  const newest = fresh.findLast((event) => event.type === "step");
  const isKept = (event: JobEvent) =>
    newest && event.type === "step" ? event === newest : event.type !== "log";
  recent.set(id, [...known, ...fresh].filter(isKept));
}

/** Nothing is being fetched: no answer can be older than what came until now. */
export function forget(): void {
  recent.clear();
}

/** The job as it is by the newest event that was seen. */
export function catchUp(job: Job): Job {
  return (recent.get(job.id) ?? []).reduce(reduceJob, job);
}
