// Deleting, bringing back, and cleaning up by rules.
import { type QueryClient, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { CleanUp, TrashItem } from "./types";

/** What was deleted and can be brought back, the newest first. */
export const trashQuery = () =>
  queryOptions({ queryKey: ["trash"], queryFn: () => body(client.GET("/api/v1/trash")) });

/** Deletes things, all or none. */
export function useDelete() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (items: TrashItem[]) => body(client.POST("/api/v1/trash", { body: { items } })),
    // Not waited for: what deleted them disappears with them.
    onSuccess: () => void readAgain(queries),
  });
}

/** Brings things back. It needs no component: the one that deleted them may be gone. */
export async function restore(queries: QueryClient, items: TrashItem[]): Promise<void> {
  await body(client.POST("/api/v1/trash/restore", { body: { items } }));
  await readAgain(queries);
}

/** What these rules name now. */
export const cleanUpQuery = (rules: CleanUp) =>
  queryOptions({
    queryKey: ["clean-up", rules],
    queryFn: () => body(client.POST("/api/v1/clean-up/preview", { body: rules })),
    retry: false,
    staleTime: 0,
  });

export function useCleanUp() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (rules: CleanUp) => body(client.POST("/api/v1/clean-up", { body: rules })),
    onSuccess: () => readAgain(queries),
  });
}

/** Reads all lists again. What is shown of one job or picture stays: reading its numbers again would restart its stream. */
async function readAgain(queries: QueryClient): Promise<void> {
  const whole = [["models"], ["model-versions"], ["labels"], ["trash"], ["clean-up"]];
  const lists = [["jobs"], ["generations"]];
  await Promise.all([
    ...whole.map((queryKey) => queries.invalidateQueries({ queryKey })),
    ...lists.map((queryKey) => queries.invalidateQueries({ queryKey, exact: true })),
  ]);
}
