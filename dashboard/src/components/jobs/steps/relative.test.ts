import { expect, test } from "vitest";
import type { JobPicture } from "~/api/types";
import { formatRelative, hardest, isKnown } from "./relative";

const picture = (item_id: string, relative_loss: number, n_seen = 5): JobPicture => ({
  item_id,
  caption: "zora",
  url: "/t",
  n_seen,
  relative_loss,
  last_loss: 0.1,
  last_step: 3,
});

test("pictures that stand out come hardest first, and those seen too rarely not at all", () => {
  const pictures = [picture("a", 1.2), picture("b", 0.7), picture("c", 1.9), picture("d", 3, 2)];
  expect(hardest(pictures).map(({ item_id }) => item_id)).toEqual(["c", "a"]);
  expect(isKnown(pictures)).toBe(false);
  expect(isKnown([picture("a", 1)])).toBe(true);
  expect(isKnown([])).toBe(false);
});

test("no more are shown than can be looked at", () => {
  expect(hardest(Array.from({ length: 30 }, (_, i) => picture(`${i}`, 1.2 + i)))).toHaveLength(8);
});

test("a multiple says of what", () => {
  expect(formatRelative(1.4153)).toBe("1.42 × usual");
});
