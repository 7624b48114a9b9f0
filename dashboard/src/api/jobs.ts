// Submitting and controlling jobs.
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import { isConflict } from "./problem";
import type { CreateJob, MakeVersion } from "./types";

export type JobAction = "cancel" | "stop" | "finish" | "resume" | "checkpoint" | "sample";

export function useCreateJob() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (job: CreateJob) => body(client.POST("/api/v1/jobs", { body: job })),
    onSuccess: (job) => {
      queries.setQueryData(["jobs", job.id], job);
      return queries.invalidateQueries({ queryKey: ["jobs"], exact: true });
    },
    // Prices or other parts of the estimate have changed.
    onError: (error) =>
      isConflict(error) ? queries.invalidateQueries({ queryKey: ["estimate"] }) : undefined,
  });
}

/** Estimate of a job: pictures, epochs and minutes. */
export const estimateQuery = (job: CreateJob | null) =>
  queryOptions({
    queryKey: ["estimate", job],
    queryFn: () => body(client.POST("/api/v1/jobs/estimate", { body: job as CreateJob })),
    enabled: job !== null,
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: 30_000,
  });

export function useJobAction(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (action: JobAction) => {
      const params = { params: { path: { id } } };
      switch (action) {
        case "cancel":
          return body(client.POST("/api/v1/jobs/{id}/cancel", params));
        case "stop":
          return body(client.POST("/api/v1/jobs/{id}/stop", params));
        case "finish":
          return body(client.POST("/api/v1/jobs/{id}/finish", params));
        case "resume":
          return body(client.POST("/api/v1/jobs/{id}/resume", params));
        case "checkpoint":
          return body(client.POST("/api/v1/jobs/{id}/checkpoint", params));
        case "sample":
          return body(client.POST("/api/v1/jobs/{id}/sample", params));
      }
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ["jobs", id], exact: true }),
  });
}

/** The files kept from a job; its checkpoints are among them. */
export const artifactsQuery = (id: string) =>
  queryOptions({
    queryKey: ["jobs", id, "artifacts"],
    queryFn: () => body(client.GET("/api/v1/jobs/{id}/artifacts", { params: { path: { id } } })),
  });

/** What the result and the checkpoints of a job were found to be, and which checkpoint to use. */
export const judgementsQuery = (id: string) =>
  queryOptions({
    queryKey: ["jobs", id, "judgements"],
    queryFn: () => body(client.GET("/api/v1/jobs/{id}/judgements", { params: { path: { id } } })),
  });

/** Makes a model version of a checkpoint: a job of its own, which is returned. */
export function useMakeVersion(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (version: MakeVersion) =>
      body(client.POST("/api/v1/jobs/{id}/versions", { params: { path: { id } }, body: version })),
    onSuccess: (job) => {
      queries.setQueryData(["jobs", job.id], job);
      return queries.invalidateQueries({ queryKey: ["jobs"], exact: true });
    },
  });
}

/** What changed in the dataset of a job since; none where the dataset was deleted. */
export const datasetChangesQuery = (id: string) =>
  queryOptions({
    queryKey: ["jobs", id, "dataset-changes"],
    queryFn: () => body(client.GET("/api/v1/jobs/{id}/dataset-changes", { params: { path: { id } } })),
    staleTime: 0,
    retry: false,
  });

/** The metrics of a job for a comparison: no stream keeps them up to date, so they are read again. */
export const comparedMetricsQuery = (id: string, width = 1000) =>
  queryOptions({
    queryKey: ["jobs", id, "compared-metrics", width],
    queryFn: () =>
      body(client.GET("/api/v1/jobs/{id}/metrics", { params: { path: { id }, query: { width } } })),
  });
