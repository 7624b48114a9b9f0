// Submitting and controlling jobs.
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import { isConflict } from "./problem";
import type { CreateJob } from "./types";

export type JobAction = "cancel" | "stop" | "resume" | "checkpoint" | "sample";

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
