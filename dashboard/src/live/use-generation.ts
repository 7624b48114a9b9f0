// A picture that is being rendered: how it stands, and what it looks like so far.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { generationQuery } from "~/api/queries";
import { follow } from "~/api/socket";
import type { Generation, GenerationNews, Preview } from "~/api/types";
import { isUnderWay } from "~/api/under-way";

/** The generation, and its newest preview while it is rendered. */
export function useGeneration(id: string): { generation: Generation | undefined; preview: Preview | null } {
  const queries = useQueryClient();
  const { data: generation } = useQuery(generationQuery(id));
  const [preview, setPreview] = useState<Preview | null>(null);
  const runs = generation !== undefined && isUnderWay(generation);

  useEffect(() => {
    if (!runs) {
      setPreview(null);
      return;
    }
    return follow<GenerationNews>({
      path: `/api/v1/generations/${id}/live`,
      after: null,
      seq: () => 0,
      onEvents: (news) => {
        for (const one of news) {
          if (one.type === "preview") setPreview(one.preview);
          else queries.setQueryData<Generation>(["generations", id], one.generation);
        }
      },
      // Asking again leads to the sign-in page and back, and says how it stands.
      onSignedOut: () => void queries.invalidateQueries({ queryKey: ["generations", id] }),
    });
  }, [id, runs, queries]);

  return { generation, preview };
}
