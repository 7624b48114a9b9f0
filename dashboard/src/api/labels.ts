// Changing stars, tags and notes.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { Label, Labeled, UpdateLabel } from "./types";

interface Change {
  id: string;
  change: UpdateLabel;
}

/**
 * Shown at once where the labels are known; taken back, for this thing alone, if the server refuses it. When the last of
 * several changes is over, the labels are read again.
 */
export function useUpdateLabel(kind: Labeled) {
  const queries = useQueryClient();
  const queryKey = ["labels", kind];
  const replace = (id: string, label: Label | undefined) =>
    queries.setQueryData<Label[]>(queryKey, (before) => {
      const others = before?.filter(({ subject_id }) => subject_id !== id);
      return others && label ? [label, ...others] : others;
    });
  return useMutation({
    mutationKey: queryKey,
    mutationFn: ({ id, change }: Change) =>
      body(client.PATCH("/api/v1/labels/{kind}/{id}", { params: { path: { kind, id } }, body: change })),
    onMutate: async ({ id, change }) => {
      await queries.cancelQueries({ queryKey });
      const before = queries.getQueryData<Label[]>(queryKey)?.find(({ subject_id }) => subject_id === id);
      replace(id, {
        id: before?.id ?? id,
        kind,
        subject_id: id,
        starred: change.starred ?? before?.starred ?? false,
        tags: change.tags ?? before?.tags ?? [],
        note: change.note ?? before?.note ?? "",
        updated_at: before?.updated_at ?? "",
      });
      return before;
    },
    onError: (_error, { id }, before) => replace(id, before),
    onSuccess: (label, { id, change }) => {
      replace(id, label);
      // The note of a job is in the job.
      if (kind === "job" && change.note != null) return queries.invalidateQueries({ queryKey: ["jobs"] });
    },
    onSettled: () => {
      // An earlier answer would show what the later changes are about to replace.
      if (queries.isMutating({ mutationKey: queryKey }) === 1) return queries.invalidateQueries({ queryKey });
    },
  });
}
