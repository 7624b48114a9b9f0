// Changing datasets.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { operations } from "./schema";
import type { EditCaptions, Finding, GroupChange, Item, Split, SplitIntoPanels } from "./types";

export type ExportFormat = operations["export_dataset"]["parameters"]["query"]["format"];

/** URL for downloading a dataset as another trainer reads it. */
export function exportHref(dataset: string, format: ExportFormat): string {
  return `/api/v1/datasets/${dataset}/export?format=${format}`;
}

export function useCreateDataset() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => body(client.POST("/api/v1/datasets", { body: { name } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["datasets"], exact: true }),
  });
}

/** A dataset with the pictures of the demo, for somebody who has none yet. */
export function useCreateDemoDataset() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => body(client.POST("/api/v1/datasets/demo", { body: { name: "Zora (demo)" } })),
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

/** Splits a comic page into panels. */
export function useSplitIntoPanels(dataset: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ item, request }: { item: string; request: SplitIntoPanels }) =>
      body(
        client.POST("/api/v1/datasets/{id}/items/{item_id}/panels", {
          params: { path: { id: dataset, item_id: item } },
          body: request,
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["datasets"] }),
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
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["datasets", dataset, "check"] });
      return queries.invalidateQueries({ queryKey: ["estimate"] });
    },
  });
}

/** Requests that change many pictures run side by side, this many at most. */
const AT_ONCE = 6;

interface ManyDone {
  /** Pictures that were not changed. */
  failed: Item[];
  /** Why the first of them was not. */
  error: unknown;
}

/** Sends a request for each picture, and goes on where one fails. */
async function forEach(
  items: readonly Item[],
  send: (item: Item) => Promise<unknown>,
  onProgress: (n_done: number) => void,
): Promise<ManyDone> {
  const done: ManyDone = { failed: [], error: undefined };
  let next = 0;
  let n_done = 0;
  const work = async () => {
    for (let item = items[next++]; item; item = items[next++]) {
      try {
        await send(item);
      } catch (error) {
        done.failed.push(item);
        done.error ??= error;
      }
      onProgress(++n_done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return done;
}

/** What a selection of pictures can be given. */
export type ItemChange = Partial<Pick<Item, "split" | "group">>;

/** Changes pictures, each to what `to` says. They are shown so before the server answers; those that it refuses go back. */
export function useChangeItems(dataset: string, onProgress: (n_done: number) => void) {
  const queries = useQueryClient();
  const queryKey = ["datasets", dataset, "items"];
  // Only what is changed: captions may be saved at the same time.
  const show = (changes: ReadonlyMap<string, ItemChange>) =>
    queries.setQueryData<Item[]>(queryKey, (items) =>
      items?.map((one) => (changes.has(one.id) ? { ...one, ...changes.get(one.id) } : one)),
    );
  const only = (change: ItemChange, of: ItemChange): ItemChange =>
    Object.fromEntries(Object.keys(change).map((key) => [key, of[key as keyof ItemChange]]));
  return useMutation({
    mutationFn: ({ items, to }: { items: readonly Item[]; to: (item: Item) => ItemChange }) =>
      forEach(
        items,
        (item) =>
          body(
            client.PATCH("/api/v1/datasets/{id}/items/{item_id}", {
              params: { path: { id: dataset, item_id: item.id } },
              body: to(item),
            }),
          ),
        onProgress,
      ),
    onMutate: async ({ items, to }) => {
      await queries.cancelQueries({ queryKey });
      const before = queries.getQueryData<Item[]>(queryKey) ?? [];
      show(new Map(items.map((item) => [item.id, to(item)])));
      return new Map(before.map(({ id, split, group }) => [id, { split, group }]));
    },
    onSuccess: ({ failed }, { to }, before) => {
      const back = failed.flatMap((item) => {
        const was = before.get(item.id);
        return was ? [[item.id, only(to(item), was)] as const] : [];
      });
      if (back.length > 0) show(new Map(back));
    },
    onSettled: () => {
      // It may have been on its way when it was canceled.
      void queries.invalidateQueries({ queryKey });
      return queries.invalidateQueries({ queryKey: ["datasets", dataset], exact: true });
    },
  });
}

/** Deletes pictures. `onDeleted` is told of each, although what asked for it may no longer be shown. */
export function useDeleteItems(
  dataset: string,
  onProgress: (n_done: number) => void,
  onDeleted: (item: Item) => void,
) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (items: readonly Item[]) =>
      forEach(
        items,
        async (item) => {
          await client.DELETE("/api/v1/datasets/{id}/items/{item_id}", {
            params: { path: { id: dataset, item_id: item.id } },
          });
          onDeleted(item);
        },
        onProgress,
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["datasets"] }),
  });
}

/** Deletes a picture. `onDeleted` is told although what asked for it may no longer be shown. */
export function useDeleteItem(dataset: string, onDeleted: (item: string) => void) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (item: string) =>
      client.DELETE("/api/v1/datasets/{id}/items/{item_id}", {
        params: { path: { id: dataset, item_id: item } },
      }),
    onSuccess: (_, item) => {
      onDeleted(item);
      return queries.invalidateQueries({ queryKey: ["datasets"] });
    },
  });
}
