// Captions that are typed but not saved yet, available on every page.
import type { QueryClient } from "@tanstack/react-query";
import { createContext, useContext, useSyncExternalStore } from "react";
import { client } from "~/api/client";
import { sessionQuery } from "~/api/queries";
import type { Item } from "~/api/types";
import { CaptionSaver, type Entry } from "./saver";

/** Saves captions through the API, and updates the pages. */
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
    // Its error leads to the sign-in page.
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

/** The typed caption of a picture, while relevant. */
export function useCaption(item: string): Entry | undefined {
  const saver = useCaptions();
  return useSyncExternalStore(saver.subscribe, () => saver.get(item));
}

/** All recently typed captions. */
export function useTypedCaptions(): readonly Entry[] {
  const saver = useCaptions();
  return useSyncExternalStore(saver.subscribe, saver.all);
}
