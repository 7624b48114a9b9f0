// Recipes from and for other trainers, and presets of one's own.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { CreateOwnPreset, RecipeFormat } from "./types";

export const ownPresetsQuery = () =>
  queryOptions({
    queryKey: ["own-presets"],
    queryFn: () => body(client.GET("/api/v1/own-presets")),
  });

export function useSavePreset() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (preset: CreateOwnPreset) => body(client.POST("/api/v1/own-presets", { body: preset })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ownPresetsQuery().queryKey }),
  });
}

export function useDeletePreset() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => client.DELETE("/api/v1/own-presets/{id}", { params: { path: { id } } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ownPresetsQuery().queryKey }),
  });
}

export function useReadRecipe() {
  return useMutation({
    mutationFn: (text: string) => body(client.POST("/api/v1/recipes/import", { body: { text } })),
  });
}

export function useJobRecipe(id: string) {
  return useMutation({
    mutationFn: (format: RecipeFormat) =>
      body(client.GET("/api/v1/jobs/{id}/recipe", { params: { path: { id }, query: { format } } })),
  });
}
