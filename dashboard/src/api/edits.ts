// Files that are made out of LoRAs and base models.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { CreateEdit } from "./types";
import { isUnderWay } from "./under-way";

/** The newest edits. */
export const editsQuery = () =>
  queryOptions({
    queryKey: ["edits"],
    queryFn: async () =>
      (await body(client.GET("/api/v1/edits", { params: { query: { limit: 60 } } }))).items,
    refetchInterval: ({ state }) => (state.data?.some(isUnderWay) ? 1000 : false),
    refetchOnWindowFocus: "always",
  });

export function useMakeEdit() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (request: CreateEdit) => body(client.POST("/api/v1/edits", { body: request })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["edits"] }),
  });
}

export function useCancelEdit() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => body(client.POST("/api/v1/edits/{id}/cancel", { params: { path: { id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["edits"] }),
  });
}

/** URL for downloading the file of an edit. */
export function editHref(id: string): string {
  return `/api/v1/edits/${id}/download`;
}
