import { expect, test } from "vitest";
import { aJob } from "~/testing";
import { againOf, type Change } from "./again";
import { toRequest, type Values } from "./form";

const job = aJob({ priority: 3 });
const preset = { ...job.recipe.parameters, learning_rate: 1e-4, n_steps: 100, n_views: 800 };
const of = (change: object, n_views = 0) =>
  againOf(
    { ...job, recipe: { ...job.recipe, ...change, parameters: { ...job.recipe.parameters, n_views } } },
    preset,
  );

test("only what differs from the preset counts as typed, and the length as the job had it", () => {
  expect(of({}).parameters).toEqual({ learning_rate: "1e-3", n_steps: "40" });
  expect(of({}, 320).parameters).toEqual({ learning_rate: "1e-3", n_views: "320" });
  expect(of({}, 800).parameters).toEqual({ learning_rate: "1e-3" });
});

test("a change of the length counts in the unit that the job had, and that of the rate halves it", () => {
  const changed = (change: Change, n_views = 0) =>
    againOf(
      { ...job, recipe: { ...job.recipe, parameters: { ...job.recipe.parameters, n_views } } },
      preset,
      change,
    ).parameters;
  expect(changed("longer")).toEqual({ learning_rate: "1e-3", n_steps: "80" });
  expect(changed("longer", 320)).toEqual({ learning_rate: "1e-3", n_views: "640" });
  expect(changed("shorter")).toEqual({ learning_rate: "1e-3", n_steps: "20" });
  expect(changed("slower")).toEqual({ learning_rate: "5e-4", n_steps: "40" });
});

test("the request asks for the same previews, also those that a line would say otherwise", () => {
  const sample_prompts = [
    "portrait of zora",
    "zora --s 5",
    { prompt: "zora", seed: 7, width: 832, height: 1216 },
  ];
  const request = toRequest(of({ sample_prompts }) as Values);
  expect(request?.sample_prompts).toEqual([
    "portrait of zora",
    { prompt: "zora --s 5" },
    { prompt: "zora", seed: "7", width: 832, height: 1216 },
  ]);
  expect(request).toMatchObject({ name: "Zora", trigger_word: "zora", priority: 3, preset: "character" });
});
