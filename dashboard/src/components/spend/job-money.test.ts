import { expect, test } from "vitest";
import { aJob } from "~/testing";
import { forecastOf, isAtLimit } from "./job-money";

const progress = {
  step: 20,
  n_steps: 40,
  epoch: 1,
  n_epochs: 2,
  loss: 0.1,
  average_loss: 0.1,
  learning_rate: 1e-3,
  gradient_norm: 1,
  step_ms: 200,
  eta_seconds: 1800,
};

test("the limit is what a job stopped at when the server says so", () => {
  const reason =
    "its limit of $0.50 is reached: $0.42 is spent, and another machine needs $0.46 to start with";
  expect(isAtLimit(aJob({ phase: "stopped", reason }))).toBe(true);
  expect(isAtLimit(aJob({ phase: "stopped", reason: "stopped before its first checkpoint" }))).toBe(false);
  expect(isAtLimit(aJob({ phase: "queued", reason }))).toBe(false);
});

test("a forecast is the server's, else what its rate makes of the time that is left", () => {
  const spend = {
    limit_micro_usd: 9_000_000,
    spent_micro_usd: 100_000,
    reserved_micro_usd: 0,
    rate_micro_usd: 640_001,
  };
  const job = aJob({ phase: "running", progress, spend });
  expect(forecastOf(job, 5)).toBe(5);
  expect(forecastOf(job, null)).toBe(100_000 + 320_001);
  expect(forecastOf({ ...job, spend: { ...spend, rate_micro_usd: 0 } }, null)).toBeNull();
  expect(forecastOf({ ...job, phase: "stopped" }, 5)).toBeNull();
});
