// Hyperparameters as the API describes them: groups of the form, checks, and values as text.
import { fields } from "~/api/fields";
import type { Parameters } from "~/api/types";
import { formatCount, formatName, formatParameter } from "~/lib/format";
import { fieldError, type NumberSchema } from "./field-error";

export type ParameterName = keyof typeof fields.Parameters & keyof Parameters;
export type ParameterValue = Parameters[ParameterName];
export type Engine = (typeof fields.CreateJob.engine.options)[number];

/** What was typed in place of the preset's values. */
export type Typed = Partial<Record<ParameterName, string>>;

/** An argument that an optimizer has of its own; without a default there is no limit. */
export interface Argument {
  name: string;
  default: number | boolean | null;
  help: string;
}

export interface ParameterSchema extends NumberSchema {
  description?: string;
  maxLength?: number;
  maxItems?: number;
  default?: string | number | boolean | readonly string[];
  options?: readonly string[];
  group: string;
  order: number;
  unit?: string;
  /** Why the default is what it is, and when somebody would change it. */
  why?: string;
  when?: string;
  /** The engines that have it, and the words that not all of these have; all of them when absent. */
  engines?: readonly string[];
  only?: Readonly<Record<string, readonly string[]>>;
  /** What the texts of a list may be, by the word of another field. */
  items?: Readonly<Record<string, readonly Argument[]>>;
}

export const PARAMETERS: Record<ParameterName, ParameterSchema> = fields.Parameters;

/** How long a training is: fields of their own, of which one is typed and the others follow. */
export const LENGTH: readonly ParameterName[] = ["n_steps", "n_views"];

/** In the form's order; without what no engine has. */
const SHOWN = (Object.keys(PARAMETERS) as ParameterName[])
  .filter((name) => PARAMETERS[name].engines?.length !== 0)
  .toSorted((a, b) => PARAMETERS[a].order - PARAMETERS[b].order);

/** What most people change, beside the length. */
export const BASICS = SHOWN.filter((name) => PARAMETERS[name].group === "basic" && !LENGTH.includes(name));

/** The rest, in named groups. */
export const GROUPS = [...new Set(SHOWN.map((name) => PARAMETERS[name].group))]
  .filter((group) => group !== "basic")
  .map((group) => ({
    name: group,
    title: formatName(group),
    fields: SHOWN.filter((name) => PARAMETERS[name].group === group),
  }));

/** Why an engine cannot have a field, or a word of it, at anything but its default. */
export function lack(name: ParameterName, engine: Engine, word?: string): string | undefined {
  const { engines, only } = PARAMETERS[name];
  const having = word === undefined ? engines : only?.[word];
  if (having === undefined || having.includes(engine)) return undefined;
  return having.length === 0
    ? "No engine has it yet."
    : `Only the ${having.join(" and the ")} engine has it.`;
}

/** A value as it stands in its field. */
export function toText(value: ParameterValue): string {
  if (typeof value === "boolean") return String(value);
  return Array.isArray(value) ? value.join(", ") : formatParameter(value);
}

/** The preset's value as it stands in its field; the default before there is a preset. */
export function presetText(name: ParameterName, preset: ParameterValue | undefined): string {
  return toText(preset ?? (PARAMETERS[name].default as ParameterValue | undefined) ?? "");
}

/** Whether what was typed differs from the preset. */
export function isChanged(
  name: ParameterName,
  typed: string | undefined,
  preset: ParameterValue | undefined,
): boolean {
  return typed !== undefined && typed !== presetText(name, preset);
}

/** The value of what was typed, once it was checked. */
export function toValue(name: ParameterName, text: string): ParameterValue {
  switch (PARAMETERS[name].type) {
    case "boolean":
      return text === "true";
    case "array":
      return listed(text);
    case "string":
      return text;
    default:
      return Number(text);
  }
}

export function listed(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Checks the text typed for a parameter against the ranges in the API description. */
export function parameterError(name: ParameterName, text: string): string | undefined {
  const schema = PARAMETERS[name];
  const { type, maxLength = Number.POSITIVE_INFINITY, maxItems = Number.POSITIVE_INFINITY } = schema;
  if (type === "boolean") return undefined;
  if (type === "array") {
    return listed(text).length > maxItems
      ? `Enter at most ${maxItems}, with commas between them.`
      : undefined;
  }
  if (type === "string") {
    return [...text].length > maxLength ? `Enter at most ${maxLength} characters.` : undefined;
  }
  return fieldError(schema, text);
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

/** What was typed, with another text for a field; undefined goes back to the preset. */
export function withParameter(before: Typed, name: ParameterName, text: string | undefined): Typed {
  const { [name]: _, ...others } = before;
  return text === undefined ? others : { ...others, [name]: text };
}
