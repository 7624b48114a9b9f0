// Changing datasets.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { Item, UpdateItem } from "./types";

export function useCreateDataset() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => body(client.POST("/api/v1/datasets", { body: { name } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["datasets"], exact: true }),
  });
}

export function useDeleteDataset() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => client.DELETE("/api/v1/datasets/{id}", { params: { path: { id } } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["datasets"], exact: true }),
  });
}

/** Changes a picture's caption or use; shown at once, taken back when the server refuses. */
export function useUpdateItem(dataset: string) {
  const queries = useQueryClient();
  const key = ["datasets", dataset, "items"];
  return useMutation({
    mutationFn: ({ item, change }: { item: string; change: UpdateItem }) =>
      body(
        client.PATCH("/api/v1/datasets/{id}/items/{item_id}", {
          params: { path: { id: dataset, item_id: item } },
          body: change,
        }),
      ),
    onMutate: async ({ item, change }) => {
      await queries.cancelQueries({ queryKey: key });
      const before = queries.getQueryData<Item[]>(key);
      queries.setQueryData<Item[]>(key, (items) =>
        items?.map((one) =>
          one.id === item
            ? { ...one, caption: change.caption ?? one.caption, split: change.split ?? one.split }
            : one,
        ),
      );
      return { before };
    },
    onError: (_error, _change, context) => queries.setQueryData(key, context?.before),
    onSettled: () => queries.invalidateQueries({ queryKey: ["datasets", dataset], exact: true }),
  });
}

export function useDeleteItem(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (item: string) =>
      client.DELETE("/api/v1/datasets/{id}/items/{item_id}", {
        params: { path: { id: dataset, item_id: item } },
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["datasets"] }),
  });
}
