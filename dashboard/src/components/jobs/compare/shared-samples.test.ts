import { expect, test } from "vitest";
import type { Sample } from "~/api/types";
import { sharedSamples } from "./shared-samples";

const sample = (step: number, prompt = "zora", seed = "7"): Sample =>
  ({
    artifact_id: `${prompt}-${step}`,
    step,
    prompt,
    seed,
    prompt_index: 0,
    url: "/blob",
    created_at: "",
  }) as unknown as Sample;

const steps = (jobs: Sample[][]) =>
  sharedSamples(jobs).map(({ step, cells }) => [step, cells.map((cell) => cell?.step)]);

test("shared steps stand side by side, the later first, and the last ones on top where they differ", () => {
  expect(
    steps([
      [sample(0), sample(20), sample(40)],
      [sample(0), sample(20)],
    ]),
  ).toEqual([
    [null, [40, 20]],
    [20, [20, 20]],
    [0, [0, 0]],
  ]);
  expect(steps([[sample(20)], [sample(20)], []])).toEqual([[20, [20, 20, undefined]]]);
});

test("another prompt or another seed is another picture", () => {
  expect(steps([[sample(20)], [sample(20, "max")]])).toEqual([]);
  expect(steps([[sample(20)], [sample(20, "zora", "8")]])).toEqual([]);
});
