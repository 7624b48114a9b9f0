// Signing in and out, browsers that are signed in, and API tokens.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { dropForms } from "~/lib/drafts";
import { body, client } from "./client";
import type { CreateToken } from "./types";

/** Exchanges a token for the session cookie. */
export function useSignIn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (token: string) => client.POST("/login", { body: { token } }),
    onSuccess: () => queries.clear(),
  });
}

export function useSignOut() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => client.DELETE("/api/v1/session"),
    onSuccess: () => {
      dropForms();
      queries.clear();
    },
  });
}

export const sessionsQuery = () =>
  queryOptions({ queryKey: ["sessions"], queryFn: () => body(client.GET("/api/v1/sessions")) });

/** Signs another browser out. */
export function useEndSession() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => client.DELETE("/api/v1/sessions/{id}", { params: { path: { id } } }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["sessions"] }),
  });
}

/** Signs all browsers out, also this one. */
export function useSignOutEverywhere() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => body(client.DELETE("/api/v1/sessions")),
    onSuccess: () => {
      dropForms();
      queries.clear();
    },
  });
}

/** Makes a token; its secret is in this one answer only. */
export function useCreateToken() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (token: CreateToken) => body(client.POST("/api/v1/tokens", { body: token })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["tokens"] }),
  });
}

export function useDeleteToken() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => client.DELETE("/api/v1/tokens/{id}", { params: { path: { id } } }),
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ["tokens"] }),
        // It may have signed browsers in.
        queries.invalidateQueries({ queryKey: ["sessions"] }),
      ]),
  });
}
