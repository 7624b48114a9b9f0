// Changing datasets.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { EditCaptions, Finding, GroupChange, Item, Split } from "./types";

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

/** Sets the use of a picture; updates optimistically, and reverts if the server rejects it. */
export function useSetSplit(dataset: string) {
  const queries = useQueryClient();
  const key = ["datasets", dataset, "items"];
  // Only the split is changed: the caption may be saved at the same time.
  const show = (item: string, split: Split) =>
    queries.setQueryData<Item[]>(key, (items) =>
      items?.map((one) => (one.id === item ? { ...one, split } : one)),
    );
  return useMutation({
    mutationFn: ({ item, split }: { item: string; split: Split }) =>
      body(
        client.PATCH("/api/v1/datasets/{id}/items/{item_id}", {
          params: { path: { id: dataset, item_id: item } },
          body: { split },
        }),
      ),
    onMutate: async ({ item, split }) => {
      await queries.cancelQueries({ queryKey: key });
      const before = queries.getQueryData<Item[]>(key)?.find(({ id }) => id === item)?.split;
      show(item, split);
      return { before };
    },
    onError: (_error, { item }, context) => context?.before && show(item, context.before),
    onSettled: () => queries.invalidateQueries({ queryKey: ["datasets", dataset], exact: true }),
  });
}

/** Puts a picture into a group, or into none. */
export function useSetGroup(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ item, group }: { item: string; group: string }) =>
      body(
        client.PATCH("/api/v1/datasets/{id}/items/{item_id}", {
          params: { path: { id: dataset, item_id: item } },
          body: { group },
        }),
      ),
    // Only the group is changed: the caption may be saved at the same time.
    onSuccess: ({ id, group }) =>
      queries.setQueryData<Item[]>(["datasets", dataset, "items"], (items) =>
        items?.map((one) => (one.id === id ? { ...one, group } : one)),
      ),
  });
}

/** Changes how often all pictures of groups are shown, and as what. It is shown before the server answers. */
export function useUpdateGroups(dataset: string) {
  const queries = useQueryClient();
  const queryKey = ["datasets", dataset, "items"];
  return useMutation({
    mutationFn: (groups: GroupChange[]) =>
      body(
        client.PATCH("/api/v1/datasets/{id}/groups", {
          params: { path: { id: dataset } },
          body: { groups },
        }),
      ),
    onMutate: async (groups) => {
      await queries.cancelQueries({ queryKey });
      queries.setQueryData<Item[]>(queryKey, (items) =>
        items?.map((one) => {
          const change = groups.find(({ group }) => group === one.group);
          const repeats = change?.repeats ?? one.repeats;
          return { ...one, repeats, regularization: change?.regularization ?? one.regularization };
        }),
      );
    },
    onError: () => queries.invalidateQueries({ queryKey }),
  });
}

/** Takes a picture's loss mask away; the picture stays. */
export function useDeleteMask(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (item: string) =>
      body(
        client.DELETE("/api/v1/datasets/{id}/items/{item_id}/mask", {
          params: { path: { id: dataset, item_id: item } },
        }),
      ),
    onSuccess: ({ id, ...changed }) =>
      queries.setQueryData<Item[]>(["datasets", dataset, "items"], (items) =>
        // The caption may be saved at the same time.
        items?.map((one) => (one.id === id ? { ...one, ...changed, caption: one.caption } : one)),
      ),
  });
}

/** Edits many captions, or shows what the edit would do. */
export function useEditCaptions(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (edit: EditCaptions) =>
      body(
        client.POST("/api/v1/datasets/{id}/caption-edits", {
          params: { path: { id: dataset } },
          body: edit,
        }),
      ),
    onSuccess: (_, { dry_run }) =>
      dry_run ? undefined : queries.invalidateQueries({ queryKey: ["datasets", dataset] }),
  });
}

/** Undoes an edit of many captions. */
export function useUndoCaptionEdit(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ edit, skip_changed }: { edit: string; skip_changed: boolean }) =>
      body(
        client.POST("/api/v1/datasets/{id}/caption-edits/{edit_id}/undo", {
          params: { path: { id: dataset, edit_id: edit } },
          body: { skip_changed },
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["datasets", dataset] }),
  });
}

/** Acknowledges a finding of the checks, for what it is about now. */
export function useAcknowledge(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ code, content }: Pick<Finding, "code" | "content">) =>
      client.POST("/api/v1/datasets/{id}/acknowledgements", {
        params: { path: { id: dataset } },
        body: { findings: [{ code, content }] },
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["estimate"] }),
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
