import { expect, test } from "vitest";
import { smooth, trend } from "./smooth";

test("weight 0 changes nothing", () => {
  expect([...smooth([3, 1, 2], 0)]).toEqual([3, 1, 2]);
});

test("a level curve stays level from its first value on", () => {
  for (const value of smooth([0.5, 0.5, 0.5, 0.5], 0.9)) expect(value).toBeCloseTo(0.5, 12);
});

test("is the debiased exponential average", () => {
  const [first, second, third] = smooth([1, 0, 0], 0.5);
  expect(first).toBeCloseTo(1);
  expect(second).toBeCloseTo(0.25 / 0.75);
  expect(third).toBeCloseTo(0.125 / 0.875);
});

test("leaves out what is not finite", () => {
  const smoothed = smooth([Number.NaN, 2, Number.POSITIVE_INFINITY, 2], 0.9);
  expect(smoothed[0]).toBeNaN();
  for (const value of smoothed.slice(1)) expect(value).toBeCloseTo(2, 12);
});

test("says which way a curve goes", () => {
  const line = (slope: number) => Array.from({ length: 40 }, (_, i) => 10 + slope * i);
  expect(trend(line(-0.2))).toBe("falling");
  expect(trend(line(0.2))).toBe("rising");
  expect(trend(line(0.001))).toBe("level");
  expect(trend([3, 2, 1])).toBe("level");
});
