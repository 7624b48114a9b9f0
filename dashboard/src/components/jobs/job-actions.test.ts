import { expect, test } from "vitest";
import { aJob } from "~/testing";
import { whatFinishDoes } from "./job-actions";

test("finishing says where the job ends, and what happens to its other steps", () => {
  const job = aJob({ phase: "running" });
  expect(whatFinishDoes(job)).toBe(
    "It ends with the next step, which is checked and becomes a version. Further steps are not trained, and it cannot be resumed.",
  );
  const kohya = { ...job, recipe: { ...job.recipe, engine: "kohya" as const } };
  expect(whatFinishDoes(kohya)).toMatch(/^It ends with the next checkpoint, /);
  const progress = { step: 12, n_steps: 40 } as NonNullable<typeof job.progress>;
  expect(whatFinishDoes({ ...job, progress })).toContain("The rest of its 40 steps is not trained");
});
