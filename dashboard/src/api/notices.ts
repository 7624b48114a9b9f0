// Webhooks, mail, and what was delivered.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { CreateWebhook } from "./types";

/** The list shows the newest; older ones are in the API. */
const N_DELIVERIES = 20;
/** While one waits for its next try. */
const LOOK_EVERY_MS = 3_000;

export const webhooksQuery = () =>
  queryOptions({ queryKey: ["webhooks"], queryFn: () => body(client.GET("/api/v1/webhooks")) });

export const deliveriesQuery = () =>
  queryOptions({
    queryKey: ["deliveries"],
    queryFn: async () =>
      (await body(client.GET("/api/v1/deliveries", { params: { query: { limit: N_DELIVERIES } } }))).items,
    // No stream reports them.
    refetchInterval: ({ state }) =>
      state.data?.some((delivery) => delivery.state === "waiting") ? LOOK_EVERY_MS : false,
  });

/** Adds a webhook; its secret is in this one answer only. */
export function useCreateWebhook() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (webhook: CreateWebhook) => body(client.POST("/api/v1/webhooks", { body: webhook })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["webhooks"] }),
  });
}

export function useDeleteWebhook() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => client.DELETE("/api/v1/webhooks/{id}", { params: { path: { id } } }),
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ["webhooks"] }),
        queries.invalidateQueries({ queryKey: ["deliveries"] }),
      ]),
  });
}

/** Sends a test to a webhook, or by mail if none is named. */
export function useSendTest() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string | null) =>
      id === null
        ? body(client.POST("/api/v1/mail/tests"))
        : body(client.POST("/api/v1/webhooks/{id}/tests", { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["deliveries"] }),
  });
}

export function useSendAgain() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) =>
      body(client.POST("/api/v1/deliveries/{id}/send-again", { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["deliveries"] }),
  });
}
