// What the address of the workbench holds, and which pictures it shows in which order.
import type { CheckDataset, Item } from "~/api/types";
import type { Facet } from "./facets";
import { tagKey, tagsOf } from "./tags";

export const SORTS = [
  { value: "added", label: "Oldest first" },
  { value: "newest", label: "Newest first" },
  { value: "name", label: "By name" },
  { value: "smallest", label: "Smallest first" },
  { value: "largest", label: "Largest first" },
  { value: "blurred", label: "Blurred first" },
  { value: "sharpest", label: "Sharpest first" },
  { value: "shortest", label: "Shortest caption first" },
  { value: "longest", label: "Longest caption first" },
] as const;
export type Sort = (typeof SORTS)[number]["value"];

export const PURPOSES = ["character", "style", "concept"] as const;
export const TOKENS = [75, 150, 225] as const;

export interface View {
  /** The facet. */
  show?: string;
  tag?: string;
  q?: string;
  sort?: Sort;
  masks?: boolean;
  /** The picture that is shown large. */
  picture?: string;
  /** What the dataset is checked for. */
  trigger?: string;
  purpose?: CheckDataset["preset"];
  resolution?: number;
  tokens?: number;
}

/** Changes what the address says; `undefined` takes something out of it. */
export type OnView = (view: { [K in keyof View]: View[K] | undefined }) => void;

/** Reads an address; what it does not say, or says wrongly, is left out. */
export function parseView(search: Record<string, unknown>): View {
  const text = (value: unknown) => {
    const given = typeof value === "number" ? String(value) : value;
    return typeof given === "string" && given !== "" ? given : undefined;
  };
  const { show, tag, q, picture, trigger, resolution } = search;
  const sort = SORTS.find(({ value }) => value === search.sort)?.value;
  const purpose = PURPOSES.find((one) => one === search.purpose);
  const tokens = TOKENS.find((one) => one === search.tokens);
  const isResolution = Number.isInteger(resolution) && Number(resolution) >= 64 && Number(resolution) <= 2048;
  const view: { [K in keyof View]: View[K] | undefined } = {
    // An older address.
    show: show === "uncaptioned" ? "no_caption" : text(show),
    tag: text(tag),
    q: text(q),
    picture: text(picture),
    trigger: text(trigger)?.slice(0, 80),
    sort: sort === "added" ? undefined : sort,
    purpose: purpose === "character" ? undefined : purpose,
    tokens: tokens === 75 ? undefined : tokens,
    resolution: isResolution && resolution !== 1024 ? Number(resolution) : undefined,
    masks: search.masks === true ? true : undefined,
  };
  return Object.fromEntries(Object.entries(view).filter(([, value]) => value !== undefined));
}

/** What the checks are asked for. */
export function checkOf({ trigger, purpose, resolution, tokens }: View): CheckDataset {
  return {
    preset: purpose ?? "character",
    resolution: resolution ?? 1024,
    bucket_step: 64,
    batch_size: 1,
    max_tokens: tokens ?? 75,
    trigger_word: trigger ?? "",
  };
}

const searched = new WeakMap<Item, string>();

function searchText(item: Item): string {
  const known = searched.get(item);
  if (known !== undefined) return known;
  const text = `${item.caption} ${item.file_name}`.toLowerCase();
  searched.set(item, text);
  return text;
}

/** Whether a picture has everything that is asked for. */
export function matcher({ tag, q }: View, facet: Facet | undefined): (item: Item) => boolean {
  const key = tag && tagKey(tag);
  const text = q?.toLowerCase() ?? "";
  return (item) =>
    (!facet || facet.ids.has(item.id)) &&
    (!key || tagsOf(item).some((one) => one.key === key)) &&
    (text === "" || searchText(item).includes(text));
}

const names = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const n_pixels = ({ width, height }: Item) => width * height;
/** Pictures that were not measured, or have no edges, come last. */
const sharpness = (item: Item, missing: number) => item.sharpness ?? missing;

const COMPARE: Record<Exclude<Sort, "added" | "newest">, (a: Item, b: Item) => number> = {
  name: (a, b) => names.compare(a.file_name, b.file_name),
  smallest: (a, b) => n_pixels(a) - n_pixels(b),
  largest: (a, b) => n_pixels(b) - n_pixels(a),
  blurred: (a, b) => sharpness(a, 1e9) - sharpness(b, 1e9),
  sharpest: (a, b) => sharpness(b, -1) - sharpness(a, -1),
  shortest: (a, b) => a.caption.length - b.caption.length,
  longest: (a, b) => b.caption.length - a.caption.length,
};

/** Pictures in another order; those that are equal stay in the order of their upload, which is that of the list. */
export function sorted(items: readonly Item[], sort: Sort): readonly Item[] {
  if (sort === "added") return items;
  if (sort === "newest") return items.toReversed();
  return items.toSorted(COMPARE[sort]);
}
