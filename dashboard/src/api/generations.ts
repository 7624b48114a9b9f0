// Requesting pictures.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { CreateGeneration } from "./types";

/** Requests one picture each. */
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

/** URL of a picture's thumbnail. */
export function pictureThumbnail(id: string): string {
  return `/api/v1/generations/${id}/thumbnail`;
}

/** URL for downloading a picture. The server names the file. */
export function pictureHref(id: string): string {
  return `/api/v1/generations/${id}/download`;
}
