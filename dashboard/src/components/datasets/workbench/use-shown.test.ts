import { expect, test } from "vitest";
import { anItem } from "~/testing";
import { inOrder } from "./use-shown";

const items = (ids: string) => [...ids].map((id) => anItem({ id }));
const order = (shown: string, before: string, kept: string) =>
  inOrder(items(shown), [...before], new Set(kept))
    .map(({ id }) => id)
    .join("");

test("a picture whose caption is edited stays where it was", () => {
  // By its new caption, b would be last.
  expect(order("acdb", "abcd", "b")).toBe("abcd");
  expect(order("bcda", "abcd", "a")).toBe("abcd");
  expect(order("cdab", "abcd", "ab")).toBe("abcd");
});

test("it follows the one before it where that has moved, and the next one before where it is gone", () => {
  expect(order("cadb", "abcd", "b")).toBe("cabd");
  expect(order("cdb", "abcd", "b")).toBe("bcd");
});

test("new pictures and an unchanged order are left alone", () => {
  expect(order("abcde", "abcd", "b")).toBe("abcde");
  expect(order("abc", "abc", "")).toBe("abc");
  expect(order("ab", "", "b")).toBe("ab");
});
