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
  group: "basic" | "advanced";
  order: number;
  unit?: string;
}

export const PARAMETERS: Record<ParameterName, ParameterSchema> = fields.Parameters;

/** What most people change; everything else is under Advanced. */
export const BASICS = group("basic");
export const ADVANCED = group("advanced");

function group(wanted: ParameterSchema["group"]): ParameterName[] {
  return (Object.keys(PARAMETERS) as ParameterName[])
    .filter((name) => PARAMETERS[name].group === wanted)
    .toSorted((a, b) => PARAMETERS[a].order - PARAMETERS[b].order);
}

/** Checks the text typed for a parameter against the ranges in the API description. */
export function parameterError(name: ParameterName, text: string): string | undefined {
  return fieldError(PARAMETERS[name], text);
}

/** Checks the text typed for the priority. */
export function priorityError(text: string): string | undefined {
  return fieldError(fields.CreateJob.priority, text);
}

function fieldError(schema: Partial<ParameterSchema>, text: string): string | undefined {
  const { type, minimum, maximum, exclusiveMinimum, multipleOf } = schema;
  if (type === "string") return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return "Enter a number.";
  if (type === "integer" && !Number.isInteger(value)) return "Enter a whole number.";
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum)
    return `Enter a number above ${exclusiveMinimum}.`;
  if (minimum !== undefined && value < minimum) return `Enter at least ${minimum}.`;
  if (maximum !== undefined && value > maximum) return `Enter at most ${maximum}.`;
  if (multipleOf !== undefined && value % multipleOf !== 0) return `Enter a multiple of ${multipleOf}.`;
  return undefined;
}

/** `1 to 256`, from the API description. */
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

/** One prompt on each line. */
export function promptLines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** The request; null while something required is missing or invalid. */
export function toRequest(values: Values): CreateJob | null {
  if (!values.dataset_id || !values.base_model || priorityError(values.priority)) return null;
  const parameters: Record<string, string | number> = {};
  for (const [name, text] of Object.entries(values.parameters) as [ParameterName, string][]) {
    if (parameterError(name, text)) return null;
    parameters[name] = PARAMETERS[name].type === "string" ? text : Number(text);
  }
  const sample_prompts = promptLines(values.sample_prompts);
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
