import { expect, test } from "vitest";
import type { Label } from "~/api/types";
import { fitsLabel, readLabelView, searchedOf, tagsOf, withTag } from "./labels";

const label = (change: Partial<Label>): Label => ({
  id: "l",
  kind: "job",
  subject_id: "s",
  starred: false,
  tags: [],
  note: "",
  updated_at: "",
  ...change,
});

test("a list is narrowed to stars and to a tag", () => {
  const starred = label({ starred: true, tags: ["ink"] });
  expect(fitsLabel(starred, { starred: true, tag: "ink" })).toBe(true);
  expect(fitsLabel(starred, { tag: "city" })).toBe(false);
  expect(fitsLabel(label({ tags: ["ink"] }), { starred: true })).toBe(false);
  expect(fitsLabel(undefined, {})).toBe(true);
  expect(fitsLabel(undefined, { starred: true })).toBe(false);
  expect(readLabelView({ starred: true, tag: "ink" })).toEqual({ starred: true, tag: "ink" });
  expect(readLabelView({ starred: "yes", tag: "" })).toEqual({});
});

test("tags are listed by how often they are used, and searched with the note", () => {
  expect(tagsOf([label({ tags: ["b", "a"] }), label({ tags: ["c", "b"] })])).toEqual([
    { tag: "b", n: 2 },
    { tag: "a", n: 1 },
    { tag: "c", n: 1 },
  ]);
  expect(searchedOf(label({ tags: ["ink"], note: "the cover" }))).toBe("ink the cover");
});

test("a tag is added once", () => {
  expect(withTag(["Ink"], " ink ")).toEqual(["Ink"]);
  expect(withTag(["Ink"], " city ")).toEqual(["Ink", "city"]);
  expect(withTag([], "  ")).toEqual([]);
});
