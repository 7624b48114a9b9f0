// The new-job form's values, and the request they make.
import { fields } from "~/api/fields";
import type {
  CreateJob,
  Family,
  ImportedRecipe,
  ParameterOverrides,
  Parameters,
  Preset,
  Question,
} from "~/api/types";
import { formatName } from "~/lib/format";
import { fieldError } from "./field-error";
import {
  BASICS,
  type Engine,
  GROUPS,
  LENGTH,
  type ParameterName,
  parameterError,
  type Typed,
  toText,
  toValue,
} from "./parameters";
import { type SampleDraft, toSamples } from "./samples/samples";

export interface Values {
  dataset_id: string;
  base_model: string;
  preset: Preset;
  /** The family whose preset is taken; empty for the one that the base was recognized as. */
  family: Family | "";
  engine: Engine;
  name: string;
  trigger_word: string;
  /** As it was typed. */
  priority: string;
  /** One prompt on each line. */
  sample_prompts: string;
  /** Previews with settings of their own; none in what was kept before there were any. */
  samples?: SampleDraft[];
  /** Id of the model version that the training goes on from; empty for none. */
  start_from: string;
  /** Length in epochs, as it was typed; empty if views or steps say it. */
  n_epochs: string;
  /** What differs from the preset, as it was typed. */
  parameters: Typed;
  /** Why it is trained; kept with the job. */
  note?: string;
  /** Which answer was chosen to a question of the preset, by the question's text. */
  answers: Record<string, number>;
}

/** Checks the text typed for the priority. */
export function priorityError(text: string): string | undefined {
  return fieldError(fields.CreateJob.priority, text);
}

/** Checks the text typed for a length in epochs. */
export function epochsError(text: string): string | undefined {
  return text === "" ? undefined : fieldError(fields.CreateJob.n_epochs, text);
}

/** Labels of the fields whose text is wrong, in the form's order. */
export function wrongFields({ n_epochs, parameters, sample_prompts, samples, priority }: Values): string[] {
  const inOrder = [...LENGTH, ...BASICS, ...GROUPS.flatMap(({ fields }) => fields)];
  const isWrong = (name: ParameterName) => {
    const text = parameters[name];
    return text !== undefined && parameterError(name, text) !== undefined;
  };
  return [
    ...(epochsError(n_epochs) ? ["Epochs"] : []),
    ...inOrder.filter(isWrong).map(formatName),
    ...(toSamples(sample_prompts, samples ?? []) ? [] : ["Sample prompts"]),
    ...(priorityError(priority) ? ["Priority"] : []),
  ];
}

/** How long a training is, in two of its units; null where what was typed says nothing. */
export interface Length {
  n_views: number | null;
  n_steps: number | null;
}

/** The length that follows from what was typed and the preset; epochs take a dataset, so the server counts them. */
export function lengthOf(typed: Typed, preset: Parameters | undefined): Length {
  const number = (name: ParameterName): number | null => {
    const text = typed[name];
    if (text !== undefined) return parameterError(name, text) ? null : Number(text);
    return preset ? Number(preset[name]) : null;
  };
  const [size, accumulation] = [number("batch_size"), number("gradient_accumulation")];
  const perStep = size === null || accumulation === null ? null : size * accumulation;
  if (typed.n_steps !== undefined) {
    const n_steps = number("n_steps");
    return { n_steps, n_views: n_steps === null || perStep === null ? null : n_steps * perStep };
  }
  const n_views = number("n_views");
  // A recipe without views says its steps.
  if (n_views === 0) return { n_steps: number("n_steps"), n_views: null };
  return { n_views, n_steps: n_views === null || perStep === null ? null : Math.ceil(n_views / perStep) };
}

/** What was typed after an answer: its values, unless they are the preset's, and none of the other answers'. */
export function answered(typed: Typed, question: Question, index: number, preset: Parameters): Typed {
  const others = question.answers.flatMap(({ parameters }) => Object.keys(parameters));
  const kept = Object.entries(typed).filter(([name]) => !others.includes(name));
  const chosen = Object.entries(question.answers[index]?.parameters ?? {}) as [
    ParameterName,
    Parameters[ParameterName] | null,
  ][];
  const changed = chosen.flatMap(([name, value]) =>
    value === null || toText(value) === toText(preset[name]) ? [] : [[name, toText(value)]],
  );
  return Object.fromEntries([...kept, ...changed]);
}

/** The request; null while something required is missing or invalid. */
export function toRequest(values: Values): CreateJob | null {
  if (!values.dataset_id || !values.base_model || priorityError(values.priority)) return null;
  if (epochsError(values.n_epochs)) return null;
  const parameters: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(values.parameters) as [ParameterName, string][]) {
    if (parameterError(name, text)) return null;
    parameters[name] = toValue(name, text);
  }
  const sample_prompts = toSamples(values.sample_prompts, values.samples ?? []);
  if (!sample_prompts) return null;
  return {
    dataset_id: values.dataset_id,
    base_model: values.base_model,
    name: values.name.trim(),
    trigger_word: values.trigger_word.trim() || null,
    preset: values.preset,
    ...(values.family && { family: values.family }),
    engine: values.engine,
    provider: fields.CreateJob.provider.default,
    priority: Number(values.priority),
    ...(values.n_epochs !== "" && { n_epochs: Number(values.n_epochs) }),
    parameters,
    sample_prompts,
    ...(values.note?.trim() && { note: values.note.trim() }),
    ...(values.start_from && { start_from: values.start_from }),
  };
}

/** What a preset of one's own, or settings of another trainer, put in place of what was typed. */
export function typedOf(parameters: ParameterOverrides): Typed {
  const said = Object.entries(parameters) as [ParameterName, Parameters[ParameterName] | null][];
  return Object.fromEntries(said.flatMap(([name, value]) => (value === null ? [] : [[name, toText(value)]])));
}

/** The form's values after settings of another trainer. What they do not say stays. */
export function imported(values: Values, recipe: ImportedRecipe): Partial<Values> {
  return {
    parameters: typedOf(recipe.parameters),
    answers: {},
    n_epochs: recipe.n_epochs == null ? "" : String(recipe.n_epochs),
    name: values.name || (recipe.name ?? ""),
    trigger_word: recipe.trigger_word ?? values.trigger_word,
    ...(recipe.sample_prompts?.length && {
      sample_prompts: recipe.sample_prompts.map(({ prompt }) => prompt.replaceAll("\n", " ")).join("\n"),
    }),
  };
}
