import { expect, test } from "vitest";
import type { Finding } from "~/api/types";
import { anItem } from "~/testing";
import { facetOfCode, facetsOf, isEmptyCaption } from "./facets";

function finding(code: Finding["code"], ids: string[]): Finding {
  const pictures = ids.map((id) => ({ id, file_name: `${id}.png`, detail: `detail of ${id}` }));
  return { code, severity: "warning", about: "pictures", message: "", repair: "", content: "0", pictures };
}

const items = [
  anItem({ id: "a", caption: " , ," }),
  anItem({ id: "b", split: "held_out", group: "hat" }),
  anItem({ id: "c", has_mask: true, damage: "missing" }),
];

function count(findings: Finding[] = []): Record<string, number> {
  return Object.fromEntries(facetsOf(items, findings).map(({ id, ids }) => [id, ids.size]));
}

test("the list of pictures gives captions, use and groups", () => {
  expect(count()).toMatchObject({
    no_caption: 1,
    held_out: 1,
    masks: 1,
    regularization: 0,
    damaged: 1,
    "group:hat": 1,
    "group:": 2,
  });
});

test("findings give the rest, with what they say about each picture", () => {
  const found = [finding("blurred", ["a", "c", "deleted"]), finding("near_duplicate", ["b"])];
  expect(count(found)).toMatchObject({ blurred: 2, near_duplicate: 1, too_dark: 0 });
  const blurred = facetsOf(items, found).find(({ id }) => id === "blurred");
  expect(blurred?.details.get("c")).toBe("detail of c");
  expect(blurred?.isChecked).toBe(true);
});

test("what is always listed, and in which order", () => {
  const listed = facetsOf(items, []).filter((facet) => facet.always);
  expect(listed.map(({ label }) => label)).toEqual(["No caption", "Held out"]);
  const sections = facetsOf(items, []).map(({ section }) => section);
  expect([...new Set(sections)]).toEqual(["Captions", "Pictures", "Use", "Groups"]);
});

test("without groups there is none to choose", () => {
  const plain = facetsOf([anItem()], []);
  expect(plain.some(({ section }) => section === "Groups")).toBe(false);
});

test("a finding leads to its facet, one about the whole dataset to none", () => {
  expect(facetOfCode("blurred")).toBe("blurred");
  expect(facetOfCode("no_caption")).toBe("no_caption");
  expect(facetOfCode("few_pictures")).toBeUndefined();
});

test("nothing but commas is no caption", () => {
  expect(["", " ", ",, ,\n"].map(isEmptyCaption)).toEqual([true, true, true]);
  expect(isEmptyCaption(", zora")).toBe(false);
});
