import { expect, test } from "vitest";
import { aJob } from "~/testing";
import { type Compared, compareData, positions } from "./compare-data";

const rest = {
  loss_min: [],
  loss_max: [],
  average_loss: [],
  learning_rate: [],
  gradient_norm: [],
  validation: [],
};

function of(step: number[], loss: number[], n_epochs = 2): Compared {
  const progress = {
    step: 4,
    n_steps: 4,
    epoch: 1,
    n_epochs,
    loss: 1,
    average_loss: 1,
    learning_rate: 1,
    gradient_norm: 1,
    step_ms: 500,
    eta_seconds: 0,
  };
  const step_ms = step.map(() => 500);
  return { job: aJob({ progress }), metrics: { ...rest, step, loss, step_ms, last_seq: 0 } };
}

test("an axis of steps, of epochs, and of time", () => {
  const compared = of([1, 2, 4], [3, 2, 1]);
  expect([...positions(compared, "step")]).toEqual([1, 2, 4]);
  expect([...positions(compared, "epoch")]).toEqual([0.5, 1, 2]);
  expect([...positions(compared, "time")]).toEqual([0.5, 1, 2]);
});

test("each job has its own losses, at the places that it has", () => {
  const [x, first, second] = compareData([of([1, 2], [3, 2]), of([2, 3], [5, 4])], "step", 0);
  expect([...(x ?? [])]).toEqual([1, 2, 3]);
  expect([first?.[0], first?.[1], first?.[2] ?? null]).toEqual([3, 2, null]);
  expect([second?.[0] ?? null, second?.[1], second?.[2]]).toEqual([null, 5, 4]);
});
