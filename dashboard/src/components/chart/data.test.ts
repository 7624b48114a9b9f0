import { expect, test } from "vitest";
import { chartData } from "./data";

const rest = { average: Float64Array.of(1, 1, 1), rate: Float64Array.of(1, 1, 1) };
const losses = { step: Float64Array.of(1, 2, 3), loss: Float64Array.of(1.5, 1.25, 1), ...rest };

test("a job without validation has gaps, and no NaN, which would leave the chart empty", () => {
  const [step, raw, , validation] = chartData({ view: () => losses, validation: [] }, 0);
  expect([...step]).toEqual([1, 2, 3]);
  expect([...(raw ?? [])]).toEqual([1.5, 1.25, 1]);
  expect(validation).toEqual([null, null, null]);
});

test("validation losses stand at their steps, also where no loss is", () => {
  const [step, raw, , validation] = chartData(
    {
      view: () => losses,
      validation: [
        [0, 2],
        [3, 0.5],
      ],
    },
    0,
  );
  expect([...step]).toEqual([0, 1, 2, 3]);
  expect(raw?.[0] ?? null).toBeNull();
  expect([validation?.[0], validation?.[3]]).toEqual([2, 0.5]);
  expect(validation?.[1] ?? null).toBeNull();
});
