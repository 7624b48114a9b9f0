import { expect, test } from "vitest";
import { anItem } from "~/testing";
import { tagCounts, tagsOf } from "./tags";

test("tags are counted once in a caption, whatever their case and underscores", () => {
  const items = [
    anItem({ caption: "Blue_Hair, smile, blue hair" }),
    anItem({ caption: "blue  hair,, hat" }),
    anItem({ caption: "" }),
  ];
  expect(tagCounts(items).map(({ tag, n_captions }) => [tag, n_captions])).toEqual([
    ["Blue_Hair", 2],
    ["hat", 1],
    ["smile", 1],
  ]);
});

test("a caption that was saved is read again", () => {
  const before = anItem({ caption: "hat" });
  expect(tagsOf(before).map(({ key }) => key)).toEqual(["hat"]);
  expect(tagsOf({ ...before, caption: "cap" }).map(({ key }) => key)).toEqual(["cap"]);
  expect(tagsOf(before)).toBe(tagsOf(before));
});

test("ten thousand captions are counted at once", () => {
  const items = Array.from({ length: 10_000 }, (_, n) =>
    anItem({ id: `${n}`, caption: Array.from({ length: 20 }, (_, t) => `tag ${(n * t) % 997}`).join(", ") }),
  );
  const counts = tagCounts(items);
  expect(counts[0]).toMatchObject({ tag: "tag 0", n_captions: 10_000 });
  expect(counts).toHaveLength(997);
});
