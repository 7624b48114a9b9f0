// The captions of this installation, for pages: what was typed and is not saved yet, wherever one goes.
import type { QueryClient } from "@tanstack/react-query";
import { createContext, useContext, useSyncExternalStore } from "react";
import { client } from "~/api/client";
import { sessionQuery } from "~/api/queries";
import type { Item } from "~/api/types";
import { CaptionSaver, type Entry } from "./saver";

/** Saves captions through the API, and brings what pages show up to date. */
export function captionsOf(queries: QueryClient): CaptionSaver {
  return new CaptionSaver({
    send: ({ dataset, item }, caption, expected_caption) =>
      client.PATCH("/api/v1/datasets/{id}/items/{item_id}", {
        params: { path: { id: dataset, item_id: item } },
        body: { caption, expected_caption },
      }),
    onSaved: ({ dataset, item }, caption) => {
      queries.setQueryData<Item[]>(["datasets", dataset, "items"], (items) =>
        items?.map((one) => (one.id === item ? { ...one, caption } : one)),
      );
      void queries.invalidateQueries({ queryKey: ["datasets", dataset], exact: true });
    },
    // Its refusal leads to the sign-in page.
    onSignedOut: () => void queries.fetchQuery({ ...sessionQuery(), staleTime: 0 }).catch(() => {}),
  });
}

const CaptionsContext = createContext<CaptionSaver | null>(null);

export const CaptionsProvider = CaptionsContext.Provider;

export function useCaptions(): CaptionSaver {
  const saver = useContext(CaptionsContext);
  if (!saver) throw new Error("a page with captions is outside of CaptionsProvider");
  return saver;
}

/** What was typed under a picture, while it matters. */
export function useCaption(item: string): Entry | undefined {
  const saver = useCaptions();
  return useSyncExternalStore(saver.subscribe, () => saver.get(item));
}

/** Everything that was typed lately. */
export function useTypedCaptions(): readonly Entry[] {
  const saver = useCaptions();
  return useSyncExternalStore(saver.subscribe, saver.all);
}
