// The live page of a job: reads what is stored, then follows the stream from there.
import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { metricsQuery } from "~/api/queries";
import { follow } from "~/api/socket";
import type { Job, JobEvent } from "~/api/types";
import { isEnded } from "~/components/phase";
import { forget, record } from "./recent";
import { reduceForecast, reduceJob, reduceStage, type Stage } from "./reduce";
import { Series } from "./series";

export interface Live {
  series: Series;
  stage: Stage | null;
  /** What it will have cost in all, in micro-dollars. */
  forecast: number | null;
  ready: boolean;
}

export function useJobLive(id: string): Live {
  const queries = useQueryClient();
  const [series] = useState(() => new Series());
  const [stage, setStage] = useState<Stage | null>(null);
  const [forecast, setForecast] = useState<number | null>(null);
  const { data: metrics } = useQuery(metricsQuery(id));

  useEffect(() => {
    if (!metrics) return;
    series.load(metrics);
    const known = queries.getQueryData<Job>(["jobs", id]);
    if (known && known.last_seq < metrics.last_seq) refetchJob(queries, id);
    return follow<JobEvent>({
      path: `/api/v1/jobs/${id}/events`,
      after: metrics.last_seq,
      seq: (event) => event.seq,
      onEvents: (events) => {
        for (const event of events) {
          if (event.type === "step") series.push(event);
          if (event.type === "validation_loss") series.pushValidation(event.step, event.loss);
        }
        setStage((before) => events.reduce(reduceStage, before));
        setForecast((before) => events.reduce(reduceForecast, before));
        patchJob(queries, id, events);
      },
    });
  }, [id, metrics, queries, series]);

  return { series, stage, forecast, ready: metrics !== undefined };
}

/** Brings the cached job up to date, and reads again what an event only points to. */
export function patchJob(queries: QueryClient, id: string, events: JobEvent[]): void {
  if (queries.isFetching({ queryKey: ["jobs"] }) > 0) record(id, events);
  else forget();
  const reduce = (job: Job) => events.reduce(reduceJob, job);
  const known = queries.getQueryData<Job>(["jobs", id]);
  const first = events[0]?.seq ?? 0;
  // Numbers have no gaps: something happened between the job that is known and the first of these events.
  if (known && first > known.last_seq + 1) refetchJob(queries, id);
  queries.setQueryData<Job>(["jobs", id], (job) => job && reduce(job));
  queries.setQueryData<Job[]>(["jobs"], (jobs) => jobs?.map((job) => (job.id === id ? reduce(job) : job)));
  if (events.some((event) => event.type === "sample")) {
    void queries.invalidateQueries({ queryKey: ["jobs", id, "samples"] });
  }
  refetchSeen(queries, id, events);
  if (events.some((event) => event.type === "checkpoint")) {
    void queries.invalidateQueries({ queryKey: ["jobs", id, "artifacts"] });
  }
  if (events.some((event) => event.type === "judged" || event.type === "model_version_created")) {
    void queries.invalidateQueries({ queryKey: ["jobs", id, "judgements"] });
  }
  if (events.some((event) => event.type === "judged")) {
    void queries.invalidateQueries({ queryKey: ["jobs", id, "artifacts"] });
  }
  if (events.some((event) => event.type === "model_version_created")) {
    // What it was found to be stands in the job.
    refetchJob(queries, id);
    void queries.invalidateQueries({ queryKey: ["jobs"], exact: true });
    void queries.invalidateQueries({ queryKey: ["models"] });
  }
}

/** The list of a job's pictures takes the server all reports of the job, which come every five seconds. */
const PICTURES_EVERY_MS = 45_000;

/** Reads again what pictures do, now and then and at the end, and a step that is shown once its pictures are known. */
function refetchSeen(queries: QueryClient, id: string, events: JobEvent[]): void {
  const steps = new Set<unknown>();
  for (const event of events) {
    if (event.type === "pictures_seen") for (const { step } of event.steps) steps.add(step);
  }
  if (steps.size > 0) {
    void queries.invalidateQueries({
      queryKey: ["jobs", id, "steps"],
      predicate: ({ queryKey }) => steps.has(queryKey[3]),
    });
  }
  const queryKey = ["jobs", id, "pictures"];
  const state = queries.getQueryState(queryKey);
  const isOld =
    Date.now() - Math.max(state?.dataUpdatedAt ?? 0, state?.errorUpdatedAt ?? 0) >= PICTURES_EVERY_MS;
  const hasEnded = events.some((event) => event.type === "phase_changed" && isEnded(event.phase));
  if ((steps.size > 0 && isOld) || hasEnded) {
    void queries.invalidateQueries({ queryKey }, { cancelRefetch: hasEnded });
  }
}

function refetchJob(queries: QueryClient, id: string): void {
  void queries.invalidateQueries({ queryKey: ["jobs", id], exact: true });
}
