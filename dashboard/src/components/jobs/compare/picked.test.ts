import { expect, test } from "vitest";
import { pickedOf, togglePicked } from "./picked";

test("a tick is added, and taken away again; without one the address has nothing", () => {
  expect(pickedOf(undefined)).toEqual([]);
  expect(togglePicked([], "a")).toBe("a");
  expect(togglePicked(pickedOf("a"), "b")).toBe("a,b");
  expect(togglePicked(pickedOf("a,b"), "a")).toBe("b");
  expect(togglePicked(["b"], "b")).toBeUndefined();
});
