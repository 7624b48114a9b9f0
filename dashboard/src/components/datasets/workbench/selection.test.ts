import { expect, test } from "vitest";
import { extended, NOTHING, toggled, withAll } from "./selection";

const shown = ["a", "b", "c", "d", "e"];
const ids = ({ ids }: typeof NOTHING) => [...ids].toSorted().join("");

test("a click takes one, and a second click takes it away", () => {
  const one = toggled(NOTHING, "b");
  expect(ids(one)).toBe("b");
  expect(ids(toggled(one, "b"))).toBe("");
});

test("a range reaches from the last one to the next, in both directions", () => {
  const from = toggled(NOTHING, "d");
  const range = extended(from, "b", shown);
  expect(ids(range)).toBe("bcd");
  // It still begins at d.
  expect(ids(extended(range, "e", shown))).toBe("bcde");
});

test("a range without a visible beginning is one picture", () => {
  expect(extended(NOTHING, "c", shown)).toEqual(toggled(NOTHING, "c"));
  const hidden = toggled(NOTHING, "x");
  const next = extended(hidden, "c", shown);
  expect(ids(next)).toBe("cx");
  expect(next.anchor).toBe("c");
  expect(extended(hidden, "y", shown)).toEqual(hidden);
});

test("all that are shown join what is selected", () => {
  expect(ids(withAll(toggled(NOTHING, "x"), shown))).toBe("abcdex");
});
