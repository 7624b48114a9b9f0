// Preview pictures as they are typed: prompts on lines, with sd-scripts' options, and pictures with fields of their own.
import { fields } from "~/api/fields";
import type { CreateJob, SamplePrompt, Sampler } from "~/api/types";
import { parseSeed, SEED_RULE } from "~/components/playground/seed";
import { formatName } from "~/lib/format";
import { fieldError } from "../field-error";

type Requested = NonNullable<CreateJob["sample_prompts"]>[number];

/** The numbers of a preview. */
export const NUMBERS = ["width", "height", "n_steps", "guidance", "lora_weight"] as const;
export type NumberName = (typeof NUMBERS)[number];

/** A preview with settings of its own, as typed; what is empty is the training's. */
export interface SampleDraft extends Record<NumberName, string> {
  key: string;
  prompt: string;
  negative_prompt: string;
  /** As typed: JavaScript's numbers lose digits of long ones. */
  seed: string;
  sampler: Sampler | "";
}

/** What is taken for a number that is not typed; no width and height: the training's resolution. */
export const USUAL: Partial<Record<NumberName, string>> = { n_steps: "20", guidance: "5", lora_weight: "1" };

export function newSample(): SampleDraft {
  return {
    key: crypto.randomUUID(),
    prompt: "",
    negative_prompt: "",
    seed: "",
    width: "",
    height: "",
    n_steps: "",
    guidance: "",
    lora_weight: "",
    sampler: "",
  };
}

export function numberError(name: NumberName, text: string): string | undefined {
  return text.trim() === "" ? undefined : fieldError(fields.SamplePrompt[name], text);
}

export function seedError(text: string): string | undefined {
  return text.trim() === "" || parseSeed(text).kind !== "wrong" ? undefined : SEED_RULE;
}

/** The request; null while something is missing or wrong. */
export function toSample(draft: SampleDraft): SamplePrompt | null {
  const isWrong = NUMBERS.some((name) => numberError(name, draft[name])) || seedError(draft.seed);
  if (draft.prompt.trim() === "" || isWrong) return null;
  const numbers = NUMBERS.filter((name) => draft[name].trim() !== "").map((name) => [
    name,
    Number(draft[name]),
  ]);
  const seed = parseSeed(draft.seed);
  return {
    prompt: draft.prompt.trim(),
    ...(draft.negative_prompt.trim() !== "" && { negative_prompt: draft.negative_prompt.trim() }),
    ...(seed.kind === "fixed" && { seed: seed.seed }),
    ...(Object.fromEntries(numbers) as Partial<Record<NumberName, number>>),
    ...(draft.sampler !== "" && { sampler: draft.sampler }),
  };
}

/** sd-scripts' names of the samplers that there are here. */
const SAMPLERS: Record<string, Sampler> = {
  euler: "euler",
  k_euler: "euler",
  euler_a: "euler_a",
  k_euler_a: "euler_a",
  ddim: "ddim",
  dpmsolver: "dpmpp2m",
  "dpmsolver++": "dpmpp2m",
};

const NUMBER_OPTIONS: Record<string, NumberName> = { w: "width", h: "height", s: "n_steps", l: "guidance" };

export type Line = { sample: Requested; problem?: undefined } | { sample?: undefined; problem: string };

/** A line as sd-scripts' prompt files have it: `zora --n blurry --w 832 --h 1216 --d 7 --l 5 --s 28 --ss euler_a`. Without
 * one of these options it is a prompt. */
export function readLine(line: string): Line {
  const [prompt = "", ...options] = line.split(/ --(?=(?:n|w|h|d|l|s|ss)(?:\s|$))/i);
  if (options.length === 0) return { sample: line };
  const draft: SampleDraft = { ...newSample(), prompt };
  for (const option of options) {
    const [, letters = "", value = ""] = /^(\S+)\s*(.*)$/.exec(option.trim()) ?? [];
    const name = letters.toLowerCase();
    const number = NUMBER_OPTIONS[name];
    if (number) {
      // sd-scripts rounds sides down.
      const isSide = number === "width" || number === "height";
      draft[number] = isSide && /^\d+$/.test(value) ? String(Math.floor(Number(value) / 8) * 8) : value;
      const error = value === "" ? "Enter a number." : numberError(number, draft[number]);
      if (error) return { problem: `--${option.trim()}: ${error}` };
    } else if (name === "d") {
      if (value === "" || seedError(value)) return { problem: `--${option.trim()}: ${SEED_RULE}` };
      draft.seed = value;
    } else if (name === "n") {
      draft.negative_prompt = value;
    } else {
      const sampler = SAMPLERS[value];
      const known = fields.SamplePrompt.sampler.options.map(formatName).join(", ");
      if (!sampler)
        return { problem: `--${option.trim()}: there is no such sampler here; there are ${known}.` };
      draft.sampler = sampler;
    }
  }
  const sample = toSample(draft);
  return sample ? { sample } : { problem: `Write a prompt before the options of “${line.trim()}”.` };
}

/** One prompt on each line. */
export function promptLines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** The first line that cannot be read. */
export function linesError(text: string): string | undefined {
  return promptLines(text)
    .map((line) => readLine(line).problem)
    .find((problem) => problem !== undefined);
}

/** All previews of a request: lines first. Null while one is missing something or wrong. */
export function toSamples(text: string, drafts: SampleDraft[]): Requested[] | null {
  const lines = promptLines(text).map((line) => readLine(line).sample);
  const all = [...lines, ...drafts.map(toSample)];
  return all.every((sample) => sample !== undefined && sample !== null) ? all : null;
}

/** `832 × 1216, seed 7, without “blurry”`: what is chosen for a preview beside its prompt. */
export function settingsOf(sample: Requested): string {
  if (typeof sample === "string") return "";
  const { negative_prompt, seed, width, height, n_steps, guidance, sampler, lora_weight } = sample;
  return [
    (width || height) && `${width ?? "usual width"} × ${height ?? "usual height"}`,
    seed != null && `seed ${seed}`,
    n_steps != null && `${n_steps} steps`,
    guidance != null && `guidance ${guidance}`,
    sampler && formatName(sampler),
    lora_weight != null && `LoRA at ${lora_weight}`,
    negative_prompt && `without “${negative_prompt}”`,
  ]
    .filter(Boolean)
    .join(", ");
}

export function promptOf(sample: Requested): string {
  return typeof sample === "string" ? sample : sample.prompt;
}
