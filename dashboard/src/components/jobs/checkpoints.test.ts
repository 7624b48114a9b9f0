import { expect, test } from "vitest";
import type { Artifact } from "~/api/types";
import { aJob } from "~/testing";
import { checkpointsOf, makersOf } from "./checkpoints";

const file = (id: string, kind: object): Artifact =>
  ({
    id,
    job_id: "j",
    url: "/blob",
    file_name: "a",
    size_bytes: 1,
    sha256: "",
    created_at: "",
    ...kind,
  }) as Artifact;

test("each step stands once, with its newest file, the latest step first", () => {
  const files = [
    file("a", { kind: "checkpoint", step: 20 }),
    file("b", { kind: "lora", step: 40 }),
    file("c", { kind: "checkpoint", step: 40 }),
    file("d", { kind: "checkpoint", step: 20 }),
  ];
  expect(checkpointsOf(files).map(({ step, file: { id } }) => [step, id])).toEqual([
    [40, "c"],
    [20, "d"],
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
