// Drawing sessions: rented machines that draw pictures.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { CreateDrawingSession } from "./types";

/** The newest sessions. Their cost and the time that is left move while one is not over. */
export const drawingSessionsQuery = () =>
  queryOptions({
    queryKey: ["drawing-sessions"],
    queryFn: async () =>
      (await body(client.GET("/api/v1/drawing-sessions", { params: { query: { limit: 20 } } }))).items,
    refetchInterval: ({ state }) => (state.data?.some(({ phase }) => phase !== "ended") ? 2000 : false),
    refetchOnWindowFocus: "always",
  });

/** What a machine for pictures costs by the hour at a provider. */
export const drawingPricesQuery = (provider: string) =>
  queryOptions({
    queryKey: ["drawing-sessions", "prices", provider],
    queryFn: () => body(client.POST("/api/v1/drawing-sessions/prices", { body: { provider } })),
  });

/** Rents a machine for pictures. */
export function useRentForPictures() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (request: CreateDrawingSession) =>
      body(client.POST("/api/v1/drawing-sessions", { body: request })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["drawing-sessions"], exact: true }),
  });
}

/** Ends a session; its machine is terminated. */
export function useEndDrawingSession() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) =>
      body(client.POST("/api/v1/drawing-sessions/{id}/end", { params: { path: { id } } })),
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ["drawing-sessions"], exact: true }),
        queries.invalidateQueries({ queryKey: ["spend"] }),
        queries.invalidateQueries({ queryKey: ["generations"] }),
      ]),
  });
}
