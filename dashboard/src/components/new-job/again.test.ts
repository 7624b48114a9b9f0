import { expect, test } from "vitest";
import { aJob } from "~/testing";
import { againOf } from "./again";
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
