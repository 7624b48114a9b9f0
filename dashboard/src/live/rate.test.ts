import { expect, test } from "vitest";
import type { Job } from "~/api/types";
import { rateOf } from "./rate";

const recipe = (engine: string, optimizer: string) =>
  ({ engine, parameters: { optimizer } }) as unknown as Job["recipe"];

test("a factor is not called a learning rate where the engine tells nothing else", () => {
  expect(rateOf(recipe("kohya", "d_adaptation"))).toMatchObject({
    label: "Factor",
    note: expect.stringContaining("sd-scripts does not tell"),
  });
  for (const told of [recipe("native", "d_adaptation"), recipe("kohya", "prodigy")]) {
    expect(rateOf(told)).toEqual({ label: "Learning rate" });
  }
});
