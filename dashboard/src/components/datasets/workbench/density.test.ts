import { expect, test } from "vitest";
import { columnsOf } from "./density";

test("columns fit from a phone to a wide window", () => {
  const columns = (width: number) =>
    (["large", "medium", "small"] as const).map((density) => columnsOf(density, width));
  expect(columns(358)).toEqual([1, 2, 3]);
  expect(columns(1100)).toEqual([3, 5, 8]);
  expect(columns(0)).toEqual([1, 1, 1]);
});
