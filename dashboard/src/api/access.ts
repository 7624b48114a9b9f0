// Signing in and out, and API tokens.
import { useMutation, useQueryClient } from "@tanstack/react-query";
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
    onSuccess: () => queries.clear(),
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
    onSuccess: () => queries.invalidateQueries({ queryKey: ["tokens"] }),
  });
}
