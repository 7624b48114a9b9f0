import { expect, test } from "vitest";
import type { Item } from "~/api/types";
import { balanced, groupsOf, isBalanced } from "./groups";

function items(group: string, n: number, change: Partial<Item> = {}): Item[] {
  return Array.from({ length: n }, (_, index) => ({
    id: `${group}-${index}`,
    file_name: `${index}.png`,
    caption: "",
    split: "train",
    group,
    repeats: 1,
    regularization: false,
    has_mask: false,
    set_aside: false,
    width: 64,
    height: 64,
    size_bytes: 1,
    sha256: "00",
    url: "/0.png",
    notes: [],
    ...change,
  }));
}

test("groups are counted without held-out pictures, those of no group last", () => {
  const all = [
    ...items("", 2),
    ...items("hat", 3, { repeats: 4 }),
    ...items("hat", 1, { split: "held_out" }),
    ...items("people", 2, { repeats: 3 }),
    ...items("people", 5, { repeats: 3, regularization: true }),
    ...items("others", 5, { regularization: true }),
  ];
  expect(groupsOf([...all, ...items("armor", 1), ...items("armor", 1, { repeats: 2 })])).toEqual([
    { name: "armor", n_items: 2, repeats: null, n_views: 3, regularization: false },
    { name: "hat", n_items: 3, repeats: 4, n_views: 12, regularization: false },
    { name: "others", n_items: 5, repeats: 1, n_views: 0, regularization: true },
    { name: "people", n_items: 7, repeats: 3, n_views: 6, regularization: null },
    { name: "", n_items: 2, repeats: 1, n_views: 2, regularization: false },
  ]);
});

test("balance shows every group about as often as the largest", () => {
  const groups = groupsOf([
    ...items("armor", 40),
    ...items("hat", 6),
    ...items("1girl", 100, { regularization: true }),
  ]);
  expect(balanced(groups)).toEqual([
    { group: "armor", repeats: 1 },
    { group: "hat", repeats: 7 },
  ]);
  expect(isBalanced(groups)).toBe(false);
  expect(isBalanced(groupsOf([...items("armor", 40), ...items("hat", 6, { repeats: 7 })]))).toBe(true);
  expect(balanced([])).toEqual([]);
});
