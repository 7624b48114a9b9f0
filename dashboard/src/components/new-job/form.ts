// The new-job form's values, and the request they make.
import { fields } from "~/api/fields";
import type { CreateJob, Parameters, Preset } from "~/api/types";
import { formatCount } from "~/lib/format";

export type ParameterName = keyof typeof fields.Parameters & keyof Parameters;

export type Engine = (typeof fields.CreateJob.engine.options)[number];

export interface Values {
  dataset_id: string;
  base_model: string;
  preset: Preset;
  engine: Engine;
  name: string;
  trigger_word: string;
  /** As it was typed. */
  priority: string;
  /** One prompt on each line. */
  sample_prompts: string;
  /** What differs from the preset, as it was typed. */
  parameters: Partial<Record<ParameterName, string>>;
}

export interface ParameterSchema {
  type?: string;
  description?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  multipleOf?: number;
  default?: string | number;
  options?: readonly string[];
}

export const PARAMETERS: Record<ParameterName, ParameterSchema> = fields.Parameters;

/** What most people change; everything else is under Advanced. */
export const BASICS: ParameterName[] = ["n_steps", "learning_rate", "rank", "batch_size", "resolution"];
export const ADVANCED = (Object.keys(PARAMETERS) as ParameterName[]).filter((name) => !BASICS.includes(name));

/** What is wrong with a parameter as it was typed, by the ranges that the server documents. */
export function parameterError(name: ParameterName, text: string): string | undefined {
  return fieldError(PARAMETERS[name], text);
}

/** What is wrong with a priority as it was typed. */
export function priorityError(text: string): string | undefined {
  return fieldError(fields.CreateJob.priority, text);
}

function fieldError(schema: ParameterSchema, text: string): string | undefined {
  const { type, minimum, maximum, exclusiveMinimum, multipleOf } = schema;
  if (type === "string") return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return "must be a number";
  if (type === "integer" && !Number.isInteger(value)) return "must be a whole number";
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) return `must be above ${exclusiveMinimum}`;
  if (minimum !== undefined && value < minimum) return `must be at least ${minimum}`;
  if (maximum !== undefined && value > maximum) return `must be at most ${maximum}`;
  if (multipleOf !== undefined && value % multipleOf !== 0) return `must be a multiple of ${multipleOf}`;
  return undefined;
}

/** `1 to 256`, from the server's documentation. */
export function range(name: ParameterName): string | undefined {
  const { minimum, maximum, exclusiveMinimum, multipleOf } = PARAMETERS[name];
  const low = minimum ?? exclusiveMinimum;
  if (low === undefined && maximum === undefined) return undefined;
  const top = maximum === undefined ? "" : formatCount(maximum);
  const from = exclusiveMinimum !== undefined ? `above ${exclusiveMinimum}` : `${low ?? ""}`;
  const to =
    maximum === undefined ? "or more" : exclusiveMinimum === undefined ? `to ${top}` : `up to ${top}`;
  return `${from} ${to}${multipleOf === undefined ? "" : `, in steps of ${multipleOf}`}`;
}

/** The request; null while something that it cannot do without is missing. */
export function toRequest(values: Values): CreateJob | null {
  if (!values.dataset_id || !values.base_model || priorityError(values.priority)) return null;
  const parameters: Record<string, string | number> = {};
  for (const [name, text] of Object.entries(values.parameters) as [ParameterName, string][]) {
    if (parameterError(name, text)) return null;
    parameters[name] = PARAMETERS[name].type === "string" ? text : Number(text);
  }
  const sample_prompts = values.sample_prompts
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return {
    dataset_id: values.dataset_id,
    base_model: values.base_model,
    name: values.name.trim(),
    trigger_word: values.trigger_word.trim() || null,
    preset: values.preset,
    engine: values.engine,
    provider: fields.CreateJob.provider.default,
    priority: Number(values.priority),
    parameters,
    sample_prompts,
  };
}
