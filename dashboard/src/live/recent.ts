// Events that came while a job was being fetched: an answer that is older than they are catches up with them.
import type { Job, JobEvent } from "~/api/types";
import { reduceJob } from "./reduce";

const recent = new Map<string, JobEvent[]>();

/** Remembers what changes a job: everything but steps, and the newest step. */
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

/** The job as it is by the newest event that was seen. */
export function catchUp(job: Job): Job {
  return (recent.get(job.id) ?? []).reduce(reduceJob, job);
}
