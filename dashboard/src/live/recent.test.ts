import { expect, test } from "vitest";
import type { JobEvent } from "~/api/types";
import { aJob } from "~/testing";
import { catchUp, forget, record } from "./recent";

const AT = "2026-01-02T03:04:05Z";
const step = (seq: number, number: number): JobEvent => ({
  seq,
  at: AT,
  type: "step",
  step: number,
  n_steps: 40,
  epoch: 1,
  n_epochs: 1,
  loss: 0.1,
  average_loss: 0.1,
  learning_rate: 1e-3,
  gradient_norm: 1,
  step_ms: 1,
  eta_seconds: 1,
});

test("an answer that is older than the events that were seen catches up with them", () => {
  const job = aJob({ id: "a", phase: "queued", last_seq: 1 });
  record("a", [{ seq: 2, at: AT, type: "phase_changed", phase: "running" }, step(3, 1)]);
  record("a", [step(3, 1), step(4, 2)]);
  expect(catchUp(job)).toMatchObject({ phase: "running", last_seq: 4, progress: { step: 2 } });
});

test("an answer that is newer stays as it is", () => {
  const job = aJob({ id: "b", phase: "succeeded", last_seq: 9 });
  record("b", [{ seq: 2, at: AT, type: "phase_changed", phase: "running" }]);
  expect(catchUp(job)).toBe(job);
});

test("what came while nothing was being fetched is not kept", () => {
  const job = aJob({ id: "c", phase: "queued", last_seq: 1 });
  record("c", [{ seq: 2, at: AT, type: "phase_changed", phase: "running" }]);
  forget();
  expect(catchUp(job)).toBe(job);
});
