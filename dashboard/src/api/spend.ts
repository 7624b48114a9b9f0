// Money and rented machines: budgets, limits, the ledger, and providers.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { Job, SetBudget } from "./types";

/** Rate, budgets and machines; events about a job's cost invalidate it. */
export const spendQuery = () =>
  queryOptions({ queryKey: ["spend"], queryFn: () => body(client.GET("/api/v1/spend")) });

/** The newest ledger entries, of one job or of all. */
export const ledgerQuery = (job: string | null) =>
  queryOptions({
    queryKey: ["spend", "ledger", job],
    queryFn: () => body(client.GET("/api/v1/spend/ledger", { params: { query: { ...(job && { job }) } } })),
  });

export const providersQuery = () =>
  queryOptions({ queryKey: ["spend", "providers"], queryFn: () => body(client.GET("/api/v1/providers")) });

/** Sets the limit of a project, of everything, or of this month and later ones; null removes it. */
export function useSetBudget() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (budget: SetBudget) => body(client.PUT("/api/v1/spend/budgets", { body: budget })),
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ["spend"] }),
        queries.invalidateQueries({ queryKey: ["estimate"] }),
      ]),
  });
}

/** Sets the total cost limit of a job. */
export function useSetJobLimit(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (limit_micro_usd: number) =>
      body(client.PUT("/api/v1/jobs/{id}/limit", { params: { path: { id } }, body: { limit_micro_usd } })),
    onSuccess: (job) => queries.setQueryData<Job>(["jobs", id], job),
  });
}

/** Queues a stopped or failed job again, with a new total cost limit. */
export function useResumeWithLimit(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (limit_micro_usd: number) =>
      body(client.POST("/api/v1/jobs/{id}/resume", { params: { path: { id } }, body: { limit_micro_usd } })),
    onSuccess: (job) => queries.setQueryData<Job>(["jobs", id], job),
  });
}

/** Resumes renting after a halt. */
export function useResumeProvider() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (name: string) =>
      client.POST("/api/v1/providers/{name}/resume", { params: { path: { name } } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["spend", "providers"] }),
  });
}
