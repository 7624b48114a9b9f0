import { expect, test } from "vitest";
import { piecesOf } from "./ruler";

test("a caption is cut at its borders, and what is not read is marked", () => {
  expect(piecesOf("aaabbbcc", [75, 75, 20], [3, 6], 150)).toEqual([
    { text: "aaa", n_tokens: 75, isCut: false },
    { text: "bbb", n_tokens: 150, isCut: false },
    { text: "cc", n_tokens: 170, isCut: true },
  ]);
});

test("borders count code points, not UTF-16 units", () => {
  const pieces = piecesOf("😀😀x", [75, 1], [2], 75);
  expect(pieces.map(({ text }) => text)).toEqual(["😀😀", "x"]);
});

test("a short caption is one piece", () => {
  expect(piecesOf("zora", [2], [], 75)).toEqual([{ text: "zora", n_tokens: 2, isCut: false }]);
});
