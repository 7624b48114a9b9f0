// Signing in and out.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { client } from "./client";

/** Exchanges a token for the session cookie. */
export function useSignIn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (token: string) => client.POST("/api/v1/login", { body: { token } }),
    onSuccess: () => queries.invalidateQueries(),
  });
}
