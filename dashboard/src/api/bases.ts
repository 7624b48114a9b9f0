// Registered base models: their state and actions.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { BaseSettings, RegisterBase, RegisteredBase } from "./types";

/** Whether the server is hashing or copying it. */
export function isBusy({ state, copy }: RegisteredBase): boolean {
  return state === "checking" || copy === "copying";
}

export const registeredBasesQuery = () =>
  queryOptions({
    queryKey: ["registered-base-models"],
    queryFn: () => body(client.GET("/api/v1/registered-base-models")),
    refetchInterval: ({ state }) => (state.data?.some(isBusy) ? 1000 : false),
    // It may have been added in another tab, or with curl.
    refetchOnWindowFocus: "always",
  });

function useChange<T>(mutationFn: (of: T) => Promise<unknown>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn,
    onSuccess: () => queries.invalidateQueries({ queryKey: registeredBasesQuery().queryKey }),
  });
}

const named = (name: string) => ({ params: { path: { name } } });

export const useRegisterBase = () =>
  useChange((base: RegisterBase) => client.POST("/api/v1/registered-base-models", { body: base }));

export const useCheckBase = () =>
  useChange((name: string) => client.POST("/api/v1/registered-base-models/{name}/check", named(name)));

export const useSetBase = () =>
  useChange(({ name, settings }: { name: string; settings: BaseSettings }) =>
    client.PUT("/api/v1/registered-base-models/{name}/settings", { ...named(name), body: settings }),
  );

export const useCopyBase = () =>
  useChange((name: string) => client.POST("/api/v1/registered-base-models/{name}/copy", named(name)));

export const useRemoveBase = () =>
  useChange((name: string) => client.DELETE("/api/v1/registered-base-models/{name}", named(name)));
