// Changing the stage of model versions.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";

export function useStageAction(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (action: "promote" | "retire") => {
      const params = { params: { path: { id } } };
      return action === "promote"
        ? body(client.POST("/api/v1/model-versions/{id}/promote", params))
        : body(client.POST("/api/v1/model-versions/{id}/retire", params));
    },
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ["models"] }),
        queries.invalidateQueries({ queryKey: ["model-versions", id] }),
      ]),
  });
}

/** URL for downloading a model version's file. */
export function downloadHref(id: string): string {
  return `/api/v1/model-versions/${id}/download`;
}
