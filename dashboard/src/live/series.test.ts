import { expect, test, vi } from "vitest";
import { Series } from "./series";

const step = (number: number, loss = 1 / number) => ({
  step: number,
  n_steps: 100,
  epoch: 1,
  n_epochs: 1,
  loss,
  average_loss: loss,
  learning_rate: 1e-4,
  gradient_norm: 1,
  step_ms: 1,
  eta_seconds: 1,
});

test("keeps every step when it outgrows its first arrays", () => {
  const series = new Series(2);
  for (let n = 1; n <= 9; n++) series.push(step(n));
  const { step: steps, loss } = series.view();
  expect([...steps]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(loss[8]).toBeCloseTo(1 / 9);
});

test("a resumed attempt replaces the steps after its checkpoint", () => {
  const series = new Series();
  for (let n = 1; n <= 5; n++) series.push(step(n, 1));
  series.push(step(3, 7));
  series.push(step(4, 8));
  const { step: steps, loss } = series.view();
  expect([...steps]).toEqual([1, 2, 3, 4]);
  expect([...loss]).toEqual([1, 1, 7, 8]);
});

test("starts from what the server has stored, and goes on", () => {
  const series = new Series();
  series.push(step(99));
  series.load({
    step: [10, 20],
    loss: [0.5, 0.25],
    loss_min: [0.4, 0.2],
    loss_max: [0.6, 0.3],
    average_loss: [0.5, 0.4],
    learning_rate: [1, 1],
    gradient_norm: [1, 1],
    validation: [[0, 0.3]],
    last_seq: 20,
  });
  series.push(step(21));
  series.pushValidation(21, 0.1);
  expect([...series.view().step]).toEqual([10, 20, 21]);
  expect(series.validation).toEqual([
    [0, 0.3],
    [21, 0.1],
  ]);
});

test("tells of each change until it is unsubscribed", () => {
  const series = new Series();
  const listener = vi.fn();
  const stop = series.subscribe(listener);
  series.push(step(1));
  series.pushValidation(1, 1);
  stop();
  series.push(step(2));
  expect(listener).toHaveBeenCalledTimes(2);
  expect(series.version).toBe(3);
});
