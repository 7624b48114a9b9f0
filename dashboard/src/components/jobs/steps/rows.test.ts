import { expect, test } from "vitest";
import type { Artifact, Job, Sample } from "~/api/types";
import { Series } from "~/live/series";
import { aJob } from "~/testing";
import { around, makersOf, stepRows, timeOf } from "./rows";

const file = (id: string, kind: object): Artifact =>
  ({
    id,
    job_id: "j",
    url: "/blob",
    file_name: "a",
    size_bytes: 1,
    sha256: "",
    created_at: `of ${id}`,
    ...kind,
  }) as Artifact;

const sample = (step: number, prompt_index: number, artifact_id: string): Sample => ({
  artifact_id,
  step,
  prompt_index,
  prompt: "zora",
  seed: 1,
  url: "/blob",
  created_at: `of ${artifact_id}`,
});

test("each step with a preview or a checkpoint is one row, the base first", () => {
  const rows = stepRows(
    aJob({ id: "j" }),
    [sample(20, 1, "s3"), sample(0, 0, "s1"), sample(20, 0, "s2"), sample(30, 0, "s4")],
    [
      file("a", { kind: "checkpoint", step: 20 }),
      file("b", { kind: "lora", step: 40 }),
      file("c", { kind: "checkpoint", step: 40 }),
      file("d", { kind: "checkpoint", step: 20 }),
    ],
    [],
  );
  expect(
    rows.map(({ step, samples, checkpoint }) => [
      step,
      samples.map(({ artifact_id }) => artifact_id).join(),
      checkpoint?.id,
    ]),
  ).toEqual([
    [0, "s1", undefined],
    [20, "s2,s3", "d"],
    [30, "s4", undefined],
    [40, "", "c"],
  ]);
  expect(rows.map(timeOf)).toEqual(["of s1", "of d", "of s4", "of c"]);
});

test("a picture that was drawn twice for one step is shown once", () => {
  const rows = stepRows(aJob(), [sample(0, 0, "old"), sample(0, 0, "new")], [], []);
  expect(rows[0]?.samples.map(({ artifact_id }) => artifact_id)).toEqual(["new"]);
});

test("the last step of a job that succeeded is its version, others have those that were made", () => {
  const last = 40;
  const progress = { step: last } as NonNullable<Job["progress"]>;
  const job = aJob({ id: "source", phase: "succeeded", model_version_id: "v1", progress });
  const files = [
    file("a", { kind: "checkpoint", step: last - 1 }),
    file("b", { kind: "checkpoint", step: last }),
  ];
  const maker = aJob({ id: "made", version_of: "source", checkpoint_step: last - 1, model_version_id: "v2" });
  const rows = stepRows(job, [], files, [maker]);
  expect(rows.map(({ versionId, isResult }) => [versionId, isResult])).toEqual([
    ["v2", false],
    ["v1", true],
  ]);
});

test("a version is found by its job and its step", () => {
  const jobs = [
    aJob({ id: "source", checkpoint_step: 20 }),
    aJob({ id: "made", version_of: "source", checkpoint_step: 20 }),
    aJob({ id: "other", version_of: "source", checkpoint_step: 40 }),
  ];
  expect(makersOf(jobs, "source", 20).map(({ id }) => id)).toEqual(["made"]);
});

test("the loss around a step is a mean, and before the first step there is none", () => {
  const series = new Series();
  for (let step = 1; step <= 20; step++) {
    series.push({ step, loss: step, average_loss: 0, learning_rate: step / 1000 } as never);
  }
  expect(around(series.view(), 10)).toEqual({ loss: 10, rate: 0.01 });
  expect(around(series.view(), 20)).toEqual({ loss: 17.5, rate: 0.02 });
  expect(around(series.view(), 0)).toBeNull();
});
