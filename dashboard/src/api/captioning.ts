// Captions that a model writes: its endpoints, runs over pictures of a dataset, and what they propose.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import { whole } from "./queries";
import type { CaptionRun, CreateCaptionEndpoint, CreateCaptionRun, TryCaptionEndpoint } from "./types";

/** While pictures are being described. */
const LOOK_EVERY_MS = 2_000;

export const captionEndpointsQuery = () =>
  queryOptions({
    queryKey: ["caption-endpoints"],
    queryFn: () => body(client.GET("/api/v1/caption-endpoints")),
  });

/** The runs over a dataset, the newest first. */
export const captionRunsQuery = (dataset: string) =>
  queryOptions({
    queryKey: ["datasets", dataset, "caption-runs"],
    queryFn: () =>
      body(client.GET("/api/v1/datasets/{id}/caption-runs", { params: { path: { id: dataset } } })),
    // No stream reports them.
    refetchInterval: ({ state }) =>
      state.data?.some((run) => run.state === "running") ? LOOK_EVERY_MS : false,
  });

/** What a run proposes; asked for again when it has described more pictures. */
export const captionProposalsQuery = (
  dataset: string,
  { id: run, n_done }: Pick<CaptionRun, "id" | "n_done">,
) =>
  queryOptions({
    queryKey: ["datasets", dataset, "caption-runs", run, "proposals", n_done],
    queryFn: () =>
      whole((query) =>
        body(
          client.GET("/api/v1/datasets/{id}/caption-runs/{run_id}/proposals", {
            params: { path: { id: dataset, run_id: run }, query },
          }),
        ),
      ),
    placeholderData: (before) => before,
    // A run has thousands of them, and is asked about hundreds of times.
    gcTime: 0,
  });

export function useCreateCaptionEndpoint() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (endpoint: CreateCaptionEndpoint) =>
      body(client.POST("/api/v1/caption-endpoints", { body: endpoint })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["caption-endpoints"] }),
  });
}

export function useDeleteCaptionEndpoint() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => client.DELETE("/api/v1/caption-endpoints/{id}", { params: { path: { id } } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["caption-endpoints"] }),
  });
}

/** Asks an endpoint about one picture. */
export function useTryCaptionEndpoint() {
  return useMutation({
    mutationFn: ({ endpoint, ...asked }: TryCaptionEndpoint & { endpoint: string }) =>
      body(
        client.POST("/api/v1/caption-endpoints/{id}/tests", {
          params: { path: { id: endpoint } },
          body: asked,
        }),
      ),
  });
}

export function useCreateCaptionRun(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (run: CreateCaptionRun) =>
      body(
        client.POST("/api/v1/datasets/{id}/caption-runs", { params: { path: { id: dataset } }, body: run }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["datasets", dataset, "caption-runs"] }),
  });
}

export function useStopCaptionRun(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (run: string) =>
      body(
        client.POST("/api/v1/datasets/{id}/caption-runs/{run_id}/stop", {
          params: { path: { id: dataset, run_id: run } },
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["datasets", dataset, "caption-runs"] }),
  });
}

interface Chosen {
  run: string;
  /** All that are open if absent. */
  proposals?: string[];
}

/** Makes proposals the captions of their pictures. */
export function useAcceptCaptions(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ run, proposals }: Chosen) =>
      body(
        client.POST("/api/v1/datasets/{id}/caption-runs/{run_id}/accept", {
          params: { path: { id: dataset, run_id: run } },
          body: { proposals: proposals ?? null },
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["datasets", dataset] }),
  });
}

export function useDismissCaptions(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ run, proposals }: Chosen) =>
      body(
        client.POST("/api/v1/datasets/{id}/caption-runs/{run_id}/dismiss", {
          params: { path: { id: dataset, run_id: run } },
          body: { proposals: proposals ?? null },
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["datasets", dataset, "caption-runs"] }),
  });
}
