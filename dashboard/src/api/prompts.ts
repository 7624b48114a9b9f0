// How prompts are read.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { body, client } from "./client";
import type { CountPrompts } from "./types";

/** Long enough to type without asking again; LoRAs that are named may be trained meanwhile. */
const STALE_MS = 30_000;

/** Tokens, chunks and warnings of prompts; `null` asks nothing. */
export const promptCountsQuery = (request: CountPrompts | null) =>
  queryOptions({
    queryKey: ["prompt-counts", request],
    queryFn: () => body(client.POST("/api/v1/prompts/count", { body: request ?? { prompts: [] } })),
    enabled: request !== null,
    placeholderData: keepPreviousData,
    staleTime: STALE_MS,
    retry: false,
  });
