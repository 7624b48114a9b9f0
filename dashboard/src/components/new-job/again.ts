// Another training with the settings of a job: what the form begins with.
import type { Job, Parameters } from "~/api/types";
import type { Values } from "./form";
import { LENGTH, type ParameterName, type Typed, toText } from "./parameters";
import { newSample, promptOf, readLine, type SampleDraft } from "./samples/samples";

type Sample = Job["recipe"]["sample_prompts"][number];

/** What another training does differently: twice the length, half of it, or half the learning rate. */
export const CHANGES = ["longer", "shorter", "slower"] as const;
export type Change = (typeof CHANGES)[number];

/** The values that make the training of a job once more; `preset` has the numbers of its preset for its base model. */
export function againOf(job: Job, preset: Parameters, change?: Change): Partial<Values> {
  const { dataset_id, priority } = job;
  const recipe = changed(job.recipe, change);
  const lines = recipe.sample_prompts.filter(isLine);
  const drafts = recipe.sample_prompts.filter((sample) => !isLine(sample));
  return {
    dataset_id,
    base_model: recipe.base_model,
    preset: recipe.preset,
    family: "",
    engine: recipe.engine,
    name: recipe.name,
    trigger_word: recipe.trigger_word ?? "",
    priority: String(priority),
    sample_prompts: lines.map(promptOf).join("\n"),
    samples: drafts.map(draftOf),
    start_from: recipe.start_from ?? "",
    n_epochs: "",
    parameters: typedFrom(recipe.parameters, preset),
    answers: {},
  };
}

function changed(recipe: Job["recipe"], change: Change | undefined): Job["recipe"] {
  const { parameters } = recipe;
  const times = (factor: number) => ({
    n_views: Math.round(parameters.n_views * factor),
    n_steps: Math.max(1, Math.round(parameters.n_steps * factor)),
  });
  switch (change) {
    case "longer":
      return { ...recipe, parameters: { ...parameters, ...times(2) } };
    case "shorter":
      return { ...recipe, parameters: { ...parameters, ...times(0.5) } };
    case "slower":
      return { ...recipe, parameters: { ...parameters, learning_rate: parameters.learning_rate / 2 } };
    case undefined:
      return recipe;
  }
}

function typedFrom(parameters: Parameters, preset: Parameters): Typed {
  const names = (Object.keys(preset) as ParameterName[]).filter((name) => !LENGTH.includes(name));
  const changed = names.filter((name) => toText(parameters[name]) !== toText(preset[name]));
  const typed: Typed = Object.fromEntries(changed.map((name) => [name, toText(parameters[name])]));
  // Steps follow from views, unless the recipe has no views.
  if (parameters.n_views === 0) return { ...typed, n_steps: toText(parameters.n_steps) };
  return parameters.n_views === preset.n_views ? typed : { ...typed, n_views: toText(parameters.n_views) };
}

/** Whether a line of the form means this preview and nothing else. */
function isLine(sample: Sample): boolean {
  const prompt = promptOf(sample);
  const isPlain = typeof sample === "string" || Object.keys(sample).length === 1;
  return isPlain && prompt.trim() === prompt && !prompt.includes("\n") && readLine(prompt).sample === prompt;
}

function draftOf(sample: Sample): SampleDraft {
  const draft: SampleDraft = { ...newSample(), prompt: promptOf(sample) };
  if (typeof sample === "string") return draft;
  for (const [name, value] of Object.entries(sample)) {
    if (value !== null && value !== undefined) Object.assign(draft, { [name]: String(value) });
  }
  return draft;
}
