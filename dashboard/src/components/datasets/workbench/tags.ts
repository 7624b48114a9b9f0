// The tags of captions, which commas separate.
import type { Item } from "~/api/types";

export interface TagCount {
  /** As most captions write it first. */
  tag: string;
  /** What it is compared by. */
  key: string;
  n_captions: number;
}

interface Parsed {
  tag: string;
  key: string;
}

// A caption that was saved is a new object; all others keep what was read from them.
const parsed = new WeakMap<Item, readonly Parsed[]>();

/** Upper and lower case, and underscores and spaces, are the same, as in the edits of captions. */
export function tagKey(tag: string): string {
  return tag
    .trim()
    .toLowerCase()
    .replace(/[\s_]+/g, " ");
}

/** The tags of a caption, each once. */
export function tagsOf(item: Item): readonly Parsed[] {
  const known = parsed.get(item);
  if (known) return known;
  const tags = new Map<string, Parsed>();
  for (const part of item.caption.split(/[,\n]/)) {
    const key = tagKey(part);
    if (key !== "" && !tags.has(key)) tags.set(key, { tag: part.trim(), key });
  }
  const list = [...tags.values()];
  parsed.set(item, list);
  return list;
}

/** The tags of all captions, the most frequent first. */
export function tagCounts(items: readonly Item[]): TagCount[] {
  const counts = new Map<string, TagCount>();
  for (const item of items) {
    for (const { tag, key } of tagsOf(item)) {
      const count = counts.get(key);
      if (count) count.n_captions += 1;
      else counts.set(key, { tag, key, n_captions: 1 });
    }
  }
  return [...counts.values()].toSorted((a, b) => b.n_captions - a.n_captions || a.key.localeCompare(b.key));
}
