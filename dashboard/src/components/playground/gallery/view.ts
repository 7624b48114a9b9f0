// Which pictures of the history are shown.
import type { Generation, Label } from "~/api/types";
import { fitsLabel, type LabelView, readLabelView, searchedOf } from "~/components/labels/labels";
import { isBaseline } from "../facts";

const AGES = ["day", "week", "month"] as const;
export type Age = (typeof AGES)[number];

const DAYS: Record<Age, number> = { day: 1, week: 7, month: 30 };
const DAY_MS = 86_400_000;

export interface GalleryView extends LabelView {
  q?: string;
  /** Id of a model version that the pictures were drawn with. */
  with?: string;
  /** No older than this. */
  since?: Age;
  /** Those at weight 0 too, which were drawn to compare with. */
  baselines?: boolean;
}

export function readGalleryView(search: Record<string, unknown>): GalleryView {
  const since = AGES.find((one) => one === search.since);
  return {
    ...(typeof search.q === "string" && search.q && { q: search.q }),
    ...(typeof search.with === "string" && search.with && { with: search.with }),
    ...(since && { since }),
    ...(search.baselines === true && { baselines: true }),
    ...readLabelView(search),
  };
}

/** The pictures that are there and fit, in their order. */
export function shownPictures(
  generations: readonly Generation[],
  labels: ReadonlyMap<string, Label>,
  view: GalleryView,
  now: number,
): Generation[] {
  const q = (view.q ?? "").toLowerCase();
  const oldest = view.since ? now - DAYS[view.since] * DAY_MS : Number.NEGATIVE_INFINITY;
  return generations.filter((one) => {
    if (!one.image_url || (!view.baselines && isBaseline(one))) return false;
    const { request } = one;
    const isWith = (request.loras ?? []).some(
      ({ model_version_id, weight }) => model_version_id === view.with && weight !== 0,
    );
    if (view.with !== undefined && !isWith) return false;
    if (Date.parse(one.created_at) < oldest) return false;
    const label = labels.get(one.id);
    const searched = [request.prompt, request.negative_prompt, String(request.seed), searchedOf(label)];
    return fitsLabel(label, view) && searched.join(" ").toLowerCase().includes(q);
  });
}

/** Ids of the model versions that pictures were drawn with, the most frequent first. */
export function versionsIn(generations: readonly Generation[]): string[] {
  const counts = new Map<string, number>();
  for (const { model_version_id: id, weight } of generations.flatMap(({ request }) => request.loras ?? []))
    if (weight !== 0) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([id]) => id);
}
