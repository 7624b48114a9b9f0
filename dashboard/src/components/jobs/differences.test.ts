import { expect, test } from "vitest";
import { aJob } from "~/testing";
import { datasetLine, differences, shownValue } from "./differences";

const { recipe } = aJob();

test("only what differs has a line, with the values in the order of the jobs", () => {
  const other = { ...recipe, engine: "kohya" as const, parameters: { ...recipe.parameters, rank: 32 } };
  expect(differences([recipe, recipe])).toEqual([]);
  expect(differences([recipe, other, recipe])).toEqual([
    { field: "engine", label: "Engine", values: ["Native", "Kohya", "Native"] },
    {
      field: "parameters.rank",
      label: "Rank",
      values: [String(recipe.parameters.rank), "32", String(recipe.parameters.rank)],
    },
  ]);
});

test("a preview with other settings is another preview", () => {
  const other = { ...recipe, sample_prompts: [{ prompt: "portrait of zora", seed: 7 }] };
  expect(differences([recipe, other])).toEqual([
    {
      field: "sample_prompts",
      label: "Sample prompts",
      values: ["portrait of zora", "portrait of zora (seed 7)"],
    },
  ]);
});

test("values are shown as people write them", () => {
  expect([true, [], "", "euler_a", 0.0001, undefined].map(shownValue)).toEqual([
    "on",
    "none",
    "none",
    "Euler A",
    shownValue(0.0001),
    "–",
  ]);
});

test("jobs of other pictures say so: by the names of datasets, and by versions where those are the same", () => {
  const job = aJob({ dataset_id: "a", dataset_version_id: "first-1aaaaa" });
  const newer = { ...job, dataset_version_id: "first-2bbbbb" };
  const other = { ...job, dataset_id: "b", dataset_version_id: "other-3ccccc" };
  const datasets = [
    { id: "a", name: "Zora" },
    { id: "b", name: "Fox" },
  ];
  const values = (...jobs: (typeof job)[]) => datasetLine(jobs, datasets)[0]?.values;
  expect(values(job, job)).toBeUndefined();
  expect(values(job, other)).toEqual(["Zora", "Fox"]);
  expect(values(job, newer, other)).toEqual(["Zora (version …1aaaaa)", "Zora (version …2bbbbb)", "Fox"]);
});
