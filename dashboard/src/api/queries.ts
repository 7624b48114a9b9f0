// Queries of the pages, by resource. Keys are nested, so that a change invalidates the right ones.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { catchUp } from "~/live/recent";
import { body, client } from "./client";
import type { CheckDataset, DatasetFindings, Family, Item, Labeled } from "./types";
import { isUnderWay } from "./under-way";

interface Page<T> {
  items: T[];
  next?: string | null;
}

const LIMIT = 500;
// Enough for any list that a person browses; longer ones are searched.
const MOST_PAGES = 10;

/** The pictures of a dataset are filtered and sorted by the page, so it has all of them. */
const MOST_PAGES_OF_PICTURES = 40;

/** A complete list, page by page. */
export async function whole<T>(
  get: (query: { limit: number; after?: string }) => Promise<Page<T>>,
  most_pages = MOST_PAGES,
): Promise<T[]> {
  const items: T[] = [];
  let after: string | undefined;
  for (let n = 0; n < most_pages; n++) {
    const page = await get({ limit: LIMIT, ...(after !== undefined && { after }) });
    items.push(...page.items);
    if (!page.next) break;
    after = page.next;
  }
  return items;
}

export const sessionQuery = () =>
  queryOptions({ queryKey: ["session"], queryFn: () => body(client.GET("/api/v1/session")), retry: false });

/** Job streams do not report the state of the server. */
const SYSTEM_EVERY_MS = 15_000;

export const systemQuery = () =>
  queryOptions({
    queryKey: ["system"],
    queryFn: () => body(client.GET("/api/v1/system")),
    refetchInterval: SYSTEM_EVERY_MS,
  });

export const tokensQuery = () =>
  queryOptions({ queryKey: ["tokens"], queryFn: () => body(client.GET("/api/v1/tokens")) });

export const datasetsQuery = () =>
  queryOptions({
    queryKey: ["datasets"],
    queryFn: () => whole((query) => body(client.GET("/api/v1/datasets", { params: { query } }))),
  });

export const datasetQuery = (id: string) =>
  queryOptions({
    queryKey: ["datasets", id],
    queryFn: () => body(client.GET("/api/v1/datasets/{id}", { params: { path: { id } } })),
  });

export const itemsQuery = (id: string) =>
  queryOptions({
    queryKey: ["datasets", id, "items"],
    queryFn: () =>
      whole(
        (query) => body(client.GET("/api/v1/datasets/{id}/items", { params: { path: { id }, query } })),
        MOST_PAGES_OF_PICTURES,
      ),
  });

/** The panels that are found on a page. They are those of its file, which has another hash when it changes. */
export const panelsQuery = (dataset: string, item: Item) =>
  queryOptions({
    queryKey: ["panels", dataset, item.id, item.sha256],
    queryFn: () =>
      body(
        client.GET("/api/v1/datasets/{id}/items/{item_id}/panels", {
          params: { path: { id: dataset, item_id: item.id }, query: { order: "left_to_right" } },
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** Each request measures some of the pictures that an older version took. */
const MEASURE_EVERY_MS = 500;

interface Checked extends DatasetFindings {
  /** Another request will measure more: not so if the last one measured nothing. */
  isMeasuring: boolean;
}

/** What the checks find in a dataset for a purpose. */
export const checkQuery = (id: string, request: CheckDataset) =>
  queryOptions({
    queryKey: ["datasets", id, "check", request],
    queryFn: async ({ client: cache, queryKey }): Promise<Checked> => {
      const before = cache.getQueryData<Checked>(queryKey)?.n_unmeasured || Number.POSITIVE_INFINITY;
      const found = await body(
        client.POST("/api/v1/datasets/{id}/check", { params: { path: { id } }, body: request }),
      );
      const { n_unmeasured } = found;
      return { ...found, isMeasuring: n_unmeasured > 0 && n_unmeasured < before };
    },
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.isMeasuring ? MEASURE_EVERY_MS : false),
  });

/** The edits of a dataset's captions that can be undone, the newest first. */
export const captionEditsQuery = (id: string) =>
  queryOptions({
    queryKey: ["datasets", id, "caption-edits"],
    queryFn: () => body(client.GET("/api/v1/datasets/{id}/caption-edits", { params: { path: { id } } })),
  });

export const jobsQuery = () =>
  queryOptions({
    queryKey: ["jobs"],
    queryFn: async () =>
      (await whole((query) => body(client.GET("/api/v1/jobs", { params: { query } })))).map(catchUp),
  });

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: ["jobs", id],
    queryFn: async () => catchUp(await body(client.GET("/api/v1/jobs/{id}", { params: { path: { id } } }))),
  });

export const metricsQuery = (id: string, width = 2000) =>
  queryOptions({
    queryKey: ["jobs", id, "metrics"],
    queryFn: () =>
      body(client.GET("/api/v1/jobs/{id}/metrics", { params: { path: { id }, query: { width } } })),
    // The stream keeps it up to date; refetching would restart the stream.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });

export const samplesQuery = (id: string) =>
  queryOptions({
    queryKey: ["jobs", id, "samples"],
    queryFn: () => body(client.GET("/api/v1/jobs/{id}/samples", { params: { path: { id } } })),
  });

export const jobPicturesQuery = (id: string) =>
  queryOptions({
    queryKey: ["jobs", id, "pictures"],
    queryFn: () => body(client.GET("/api/v1/jobs/{id}/pictures", { params: { path: { id } } })),
    staleTime: 45_000,
  });

export const jobStepQuery = (id: string, step: number) =>
  queryOptions({
    queryKey: ["jobs", id, "steps", step],
    queryFn: () => body(client.GET("/api/v1/jobs/{id}/steps/{step}", { params: { path: { id, step } } })),
    // What a step saw never changes once it is known.
    staleTime: ({ state }) =>
      state.data && state.data.pictures.length > 0 ? Number.POSITIVE_INFINITY : 5_000,
    retry: false,
  });

export const baseModelsQuery = () =>
  queryOptions({
    queryKey: ["base-models"],
    queryFn: () => body(client.GET("/api/v1/base-models")),
  });

export const presetsQuery = (base_model: string, family: Family | "") =>
  queryOptions({
    queryKey: ["presets", base_model, family],
    queryFn: () =>
      body(client.GET("/api/v1/presets", { params: { query: { base_model, ...(family && { family }) } } })),
    enabled: base_model !== "",
    staleTime: 300_000,
  });

export const modelsQuery = () =>
  queryOptions({
    queryKey: ["models"],
    queryFn: () => whole((query) => body(client.GET("/api/v1/models", { params: { query } }))),
  });

export const modelQuery = (id: string) =>
  queryOptions({
    queryKey: ["models", id],
    queryFn: () => body(client.GET("/api/v1/models/{id}", { params: { path: { id } } })),
  });

export const modelVersionQuery = (id: string) =>
  queryOptions({
    queryKey: ["model-versions", id],
    queryFn: () => body(client.GET("/api/v1/model-versions/{id}", { params: { path: { id } } })),
  });

export const generationsQuery = () =>
  queryOptions({
    queryKey: ["generations"],
    queryFn: () => whole((query) => body(client.GET("/api/v1/generations", { params: { query } }))),
  });

/** Stars, tags and notes of everything of a kind. */
export const labelsQuery = (kind: Labeled) =>
  queryOptions({
    queryKey: ["labels", kind],
    queryFn: () =>
      whole((query) => body(client.GET("/api/v1/labels", { params: { query: { kind, ...query } } }))),
  });

/** A generation: how it stands, and then, as the server delays its response until the picture is ready, that. */
export const generationQuery = (id: string) =>
  queryOptions({
    queryKey: ["generations", id],
    queryFn: ({ client: cache, queryKey }) => {
      const wait_seconds = cache.getQueryData(queryKey) === undefined ? 0 : 20;
      return body(
        client.GET("/api/v1/generations/{id}", { params: { path: { id }, query: { wait_seconds } } }),
      );
    },
    refetchInterval: ({ state }) => (state.data && isUnderWay(state.data) ? 100 : false),
    staleTime: ({ state }) => (state.data && isUnderWay(state.data) ? 0 : 1_800_000),
  });
