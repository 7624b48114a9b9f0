// Asking for pictures.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { CreateGeneration, Generation } from "./types";

/** It will still change by itself. */
export function isLive(generation: Generation): boolean {
  return generation.phase === "queued" || generation.phase === "running";
}

/** Asks for one picture per request. */
export function useGenerate() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (requests: CreateGeneration[]) =>
      Promise.all(requests.map((request) => body(client.POST("/api/v1/generations", { body: request })))),
    onSuccess: (made) => {
      for (const generation of made) queries.setQueryData(["generations", generation.id], generation);
      return queries.invalidateQueries({ queryKey: ["generations"], exact: true });
    },
  });
}

/** Where the browser downloads a picture from. */
export function pictureHref(id: string): string {
  return `/api/v1/generations/${id}/download`;
}
