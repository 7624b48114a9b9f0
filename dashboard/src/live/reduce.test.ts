import { expect, test } from "vitest";
import type { JobEvent } from "~/api/types";
import { aJob } from "~/testing";
import { logLine, NUMBERS, reduceForecast, reduceJob, reduceStage } from "./reduce";

const AT = "2026-01-02T03:04:05Z";

test("a step moves the progress, and nothing else", () => {
  const metrics = {
    step: 5,
    n_steps: 40,
    epoch: 2,
    n_epochs: 20,
    loss: 0.1,
    average_loss: 0.2,
    learning_rate: 1e-3,
    gradient_norm: 1,
    step_ms: 200,
    eta_seconds: 7,
  };
  const job = aJob({ phase: "running", last_seq: 4 });
  const next = reduceJob(job, { seq: 5, at: AT, type: "step", attempt_id: "a", ...metrics });
  expect(next).toEqual({ ...job, last_seq: 5, progress: metrics });
});

test("an event that was seen already changes nothing", () => {
  const job = aJob({ phase: "running", last_seq: 9 });
  expect(reduceJob(job, { seq: 9, at: AT, type: "phase_changed", phase: "failed" })).toBe(job);
});

test("phases set the times and the reason", () => {
  const queued = aJob({ phase: "queued", last_seq: 1 });
  const running = reduceJob(queued, { seq: 2, at: AT, type: "phase_changed", phase: "running" });
  expect(running).toMatchObject({ phase: "running", started_at: AT, ended_at: null, reason: null });
  const failed = reduceJob(running, {
    seq: 3,
    at: AT,
    type: "phase_changed",
    phase: "failed",
    reason: "no disk",
  });
  expect(failed).toMatchObject({ phase: "failed", started_at: AT, ended_at: AT, reason: "no disk" });
  const resumed = reduceJob(failed, { seq: 4, at: AT, type: "phase_changed", phase: "queued" });
  expect(resumed).toMatchObject({ ended_at: null, reason: null });
});

test("checkpoints and results are remembered", () => {
  const job = aJob({ phase: "running", last_seq: 0 });
  const events: JobEvent[] = [
    { seq: 1, at: AT, type: "checkpoint", artifact_id: "c", step: 20, size_bytes: 1 },
    { seq: 2, at: AT, type: "model_version_created", model_version_id: "m" },
  ];
  expect(events.reduce(reduceJob, job)).toMatchObject({
    checkpoint_step: 20,
    model_version_id: "m",
    last_seq: 2,
  });
});

test("money moves with the machines, and what is set aside stays as it was read", () => {
  const spend = { limit_micro_usd: 5, spent_micro_usd: 1, reserved_micro_usd: 3, rate_micro_usd: 0 };
  const event: JobEvent = {
    seq: 1,
    at: AT,
    type: "spend",
    spent_micro_usd: 2,
    rate_micro_usd: 640_000,
    limit_micro_usd: 9,
    forecast_micro_usd: 4,
  };
  expect(reduceJob(aJob({ spend }), event).spend).toEqual({
    limit_micro_usd: 9,
    spent_micro_usd: 2,
    reserved_micro_usd: 3,
    rate_micro_usd: 640_000,
  });
  expect(reduceForecast(null, event)).toBe(4);
  expect(reduceForecast(4, { seq: 2, at: AT, type: "log", level: "info", message: "hm" })).toBe(4);
  expect(reduceForecast(4, { seq: 3, at: AT, type: "attempt_ended", outcome: "stopped" })).toBeNull();
});

test("a stage is shown until the first step", () => {
  const stage = reduceStage(null, {
    seq: 1,
    at: AT,
    type: "stage",
    name: "caching latents",
    done: 3,
    total: 16,
  });
  expect(stage).toEqual({ name: "caching latents", done: 3, total: 16 });
  expect(reduceStage(stage, { seq: 2, at: AT, type: "log", level: "info", message: "hm" })).toBe(stage);
  expect(reduceStage(stage, { seq: 2, at: AT, type: "phase_changed", phase: "failed" })).toBeNull();
});

test("the log holds words, not steps, and says what is grave", () => {
  const lines = (
    [
      { seq: 1, at: AT, type: "phase_changed", phase: "failed", reason: "loss is NaN" },
      { seq: 2, at: AT, type: "validation_loss", step: 10, loss: 0.12345 },
      { seq: 3, at: AT, type: "attempt_ended", outcome: "never_started" },
      { seq: 4, at: AT, type: "stage", name: "loading", done: 1, total: 3 },
      { seq: 5, at: AT, type: "stage", name: "loading", done: 3, total: 3 },
    ] satisfies JobEvent[]
  ).flatMap((event) => logLine(event) ?? []);
  expect(lines.map(({ level, message }) => [level, message])).toEqual([
    ["error", "failed: loss is NaN"],
    ["info", "validation loss 0.1235 after step 10"],
    ["error", "attempt never started"],
    ["info", "loading (3/3)"],
  ]);
});

test("an event of a kind that the page does not know is shown as such", () => {
  const event = { seq: 7, at: AT, type: "gradient_spike", norm: 80 } as unknown as JobEvent;
  expect(logLine(event)).toEqual({
    seq: 7,
    at: AT,
    level: "info",
    message: "gradient spike: reload the page to see what this event says",
  });
});

test("numbers write no line", () => {
  for (const type of NUMBERS) expect(logLine({ seq: 1, at: AT, type } as JobEvent)).toBeNull();
});

test("a failed verdict says which checks", () => {
  const verdict = {
    passed: false,
    checks: [
      { name: "finite", passed: true, detail: "all finite" },
      { name: "non_zero", passed: false, detail: "all weights are 0" },
    ],
    module_norms: [],
  };
  const line = logLine({ seq: 1, at: AT, type: "validated", verdict });
  expect(line).toMatchObject({ level: "warning", message: "checked, with remarks: all weights are 0" });
});

test("what a step saw is numbers, which the log does without", () => {
  const seen = { step: 1, pictures: [0], timesteps: [440], losses: [0.1] };
  const event: JobEvent = { seq: 5, at: AT, type: "pictures_seen", attempt_id: "a", steps: [seen] };
  expect(logLine(event)).toBeNull();
  expect(NUMBERS).toContain("pictures_seen");
  expect(reduceJob(aJob({ last_seq: 4 }), event)).toEqual(aJob({ last_seq: 5 }));
});

test("the log says what a checkpoint was found to be", () => {
  const judgement = {
    stamp: "too_weak" as const,
    sentence: "Its pictures barely differ.",
    advice: "train_longer" as const,
    score: 0.1,
    score_low: 0,
    score_high: 0.2,
    measures: [],
    evidence: [],
    seconds: 1,
  };
  expect(logLine({ seq: 1, at: AT, type: "judged", step: 20, judgement })).toMatchObject({
    level: "info",
    message: "step 20 was found too weak: Its pictures barely differ.",
  });
});
