import { expect, test } from "vitest";
import { parseSeed, randomSeed } from "./seed";

test.each([
  ["0", "0"],
  [" 42 ", "42"],
  ["007", "7"],
  ["9007199254740993", "9007199254740993"],
  ["18446744073709551615", "18446744073709551615"],
])("%j keeps every digit", (typed, seed) => {
  expect(parseSeed(typed)).toEqual({ kind: "fixed", seed });
});

test.each(["-1", " -1 ", "−1"])("%j is a random seed", (typed) => {
  expect(parseSeed(typed)).toEqual({ kind: "random" });
});

test.each(["", " ", "7.5", "abc", "-2", "+1", "1e5", "0x10", "18446744073709551616", "9".repeat(40)])(
  "%j is none",
  (typed) => {
    expect(parseSeed(typed)).toEqual({ kind: "wrong" });
  },
);

test("a random seed is a seed", () => {
  expect(parseSeed(randomSeed()).kind).toBe("fixed");
});
