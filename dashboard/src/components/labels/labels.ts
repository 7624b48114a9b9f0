// Which things have a star or a tag, and which of them are shown.
import type { Label } from "~/api/types";

/** What a list is narrowed by. It lives in the address. */
export interface LabelView {
  starred?: boolean;
  tag?: string;
}

export function readLabelView(search: Record<string, unknown>): LabelView {
  return {
    ...(search.starred === true && { starred: true }),
    ...(typeof search.tag === "string" && search.tag && { tag: search.tag }),
  };
}

/** Labels by what they are on. */
export function bySubject(labels: readonly Label[]): ReadonlyMap<string, Label> {
  return new Map(labels.map((label) => [label.subject_id, label]));
}

export function fitsLabel(label: Label | undefined, { starred, tag }: LabelView): boolean {
  if (starred && !label?.starred) return false;
  return tag === undefined || (label?.tags.includes(tag) ?? false);
}

/** What a search looks at besides the thing itself. */
export function searchedOf(label: Label | undefined): string {
  return label ? [...label.tags, label.note].join(" ") : "";
}

/** All tags, the most frequent first. */
export function tagsOf(labels: readonly Label[]): { tag: string; n: number }[] {
  const counts = new Map<string, number>();
  for (const tag of labels.flatMap(({ tags }) => tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return [...counts].map(([tag, n]) => ({ tag, n })).sort((a, b) => b.n - a.n || a.tag.localeCompare(b.tag));
}

/** The tags with another one, unless it is there, in whatever case. */
export function withTag(tags: readonly string[], tag: string): string[] {
  const added = tag.trim();
  const isKnown = tags.some((known) => known.toLowerCase() === added.toLowerCase());
  return added === "" || isKnown ? [...tags] : [...tags, added];
}
