// The playground's values, and the requests they make.
import { fields } from "~/api/fields";
import type { BaseModel, CreateGeneration, ModelVersion, Sampler } from "~/api/types";
import { wordsOf } from "~/components/models/usage";
import { atZero, hasTag } from "~/components/prompt/words";
import { stillWrong } from "~/lib/still-wrong";
import { parseSeed, randomSeed } from "./seed";

const GENERATION = fields.CreateGeneration;

export interface Lora {
  id: string;
  weight: number;
}

export interface Values {
  base_model: string;
  prompt: string;
  negative_prompt: string;
  /** Brackets and tags in both prompts are letters. */
  literal: boolean;
  loras: Lora[];
  /** As typed: JavaScript's numbers lose digits of long ones. */
  seed: string;
  /** Keep the seed instead of drawing a new one for each picture. */
  locked: boolean;
  n_steps: number;
  guidance: number;
  side: { width: number; height: number } | null;
  sampler: Sampler;
  /** Render each picture without the LoRAs too. */
  compare: boolean;
  /** The drawing session whose machine draws it; null for the server's own. */
  session: string | null;
}

export const LIMITS = {
  n_steps: GENERATION.n_steps,
  guidance: GENERATION.guidance,
  /** What sliders offer. A picture may have been made with more. */
  weight: { min: 0, max: 2 },
};

export const SAMPLERS: readonly Sampler[] = GENERATION.sampler.options;

export function initial(base_model: string): Values {
  return {
    base_model,
    prompt: "",
    negative_prompt: "",
    literal: false,
    loras: [],
    seed: randomSeed(),
    locked: false,
    n_steps: GENERATION.n_steps.default,
    guidance: GENERATION.guidance.default,
    side: null,
    sampler: "euler",
    compare: true,
    session: null,
  };
}

/**
 * What was kept may name a base model or a LoRA that is gone by now. A session stays chosen when it is over: where a
 * picture is drawn decides what it costs, so it is not sent elsewhere unasked.
 */
export function offered(values: Values, bases: BaseModel[], versions: ModelVersion[]): Values {
  const has = (name: string) => bases.some((base) => base.name === name);
  return {
    ...values,
    base_model: has(values.base_model) ? values.base_model : (bases[0]?.name ?? ""),
    loras: values.loras.filter(({ id }) => versions.some((version) => version.id === id)),
  };
}

/** Whether a LoRA can be used with a base model: an imported one with all of its size, since none of them is its own. */
export function fits({ imported, base_model }: ModelVersion, base: BaseModel | undefined): boolean {
  return imported ? imported.base_class === base?.class : base_model === base?.name;
}

/** Begins with a LoRA; a prompt that was typed stays. */
export function withLora(values: Values, version: ModelVersion): Values {
  const { id, base_model } = version;
  if (values.loras.some((lora) => lora.id === id)) return values;
  return {
    ...values,
    base_model,
    side: values.base_model === base_model ? values.side : null,
    ...addLora({ ...values, loras: [] }, version),
    ...(values.prompt.trim() !== "" && { prompt: values.prompt }),
  };
}

/** A LoRA joins the others, at the weight that its owner says, and its trigger words join the prompt. */
export function addLora({ loras, prompt }: Values, version: ModelVersion): Pick<Values, "loras" | "prompt"> {
  return {
    loras: [...loras, { id: version.id, weight: version.usage?.weight ?? 1 }],
    prompt: withWords(prompt, wordsOf(version)),
  };
}

/** The words that the prompt lacks come before it, as captions have them in training. */
function withWords(prompt: string, words: string[]): string {
  const missing = words.filter((word) => !hasWord(prompt, word));
  return [...missing, prompt.trim()].filter((part) => part !== "").join(", ");
}

/** Whether a text has a word or a phrase, in whatever case, and not as a part of longer words. */
function hasWord(text: string, word: string): boolean {
  const literal = word.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{M}\\p{N}_])${literal}(?![\\p{L}\\p{M}\\p{N}_])`, "iu").test(text);
}

/** The settings that a version's owner says work best, apart from its weight; its example where nothing was typed. */
export function suggestedBy(values: Values, version: ModelVersion): Partial<Values> {
  const { id, usage } = version;
  if (!usage) return {};
  const isUntouched = ["", wordsOf(version).join(", ")].includes(values.prompt.trim());
  return {
    ...(usage.weight != null && {
      loras: values.loras.map((lora) => (lora.id === id ? { ...lora, weight: usage.weight ?? 1 } : lora)),
    }),
    ...(usage.sampler && { sampler: usage.sampler }),
    ...(usage.n_steps != null && { n_steps: usage.n_steps }),
    ...(usage.guidance != null && { guidance: usage.guidance }),
    ...(usage.prompt && isUntouched && { prompt: usage.prompt }),
    ...(usage.negative_prompt &&
      values.negative_prompt.trim() === "" && {
        negative_prompt: usage.negative_prompt,
      }),
  };
}

/** By name, the newest version first: an order that stays while pictures are drawn and models are promoted. */
export function byName(a: ModelVersion, b: ModelVersion): number {
  return a.name.localeCompare(b.name) || b.version - a.version;
}

/** What was typed is no seed, and the next picture would need it. */
export function hasWrongSeed({ seed, locked }: Values): boolean {
  return locked && parseSeed(seed).kind === "wrong";
}

/** The seed of the next picture; `repeats` asks for the last one again. */
export function nextSeed({ seed, locked }: Values, repeats = false): string {
  const typed = parseSeed(seed);
  return (locked || repeats) && typed.kind === "fixed" ? typed.seed : randomSeed();
}

/** One request; two when pictures are compared: without the LoRAs (at weight 0), then with them. */
export function toRequests(values: Values): CreateGeneration[] {
  const { base_model, negative_prompt, literal, seed, n_steps, guidance, side, sampler, session } = values;
  const prompt = values.prompt.trim();
  const at = (factor: 0 | 1): CreateGeneration => ({
    base_model,
    prompt: factor === 0 && !literal ? atZero(prompt) : prompt,
    negative_prompt: negative_prompt.trim(),
    literal,
    loras: values.loras.map(({ id, weight }) => ({ model_version_id: id, weight: factor * weight })),
    seed,
    n_steps,
    guidance,
    sampler,
    ...(side && { width: side.width, height: side.height }),
    ...(session && { drawing_session_id: session }),
  });
  return values.compare && hasLora(values) ? [at(0), at(1)] : [at(1)];
}

/** Whether there is a LoRA, in the list or in the prompt. */
export function hasLora({ loras, prompt, literal }: Values): boolean {
  return loras.length > 0 || (!literal && hasTag(prompt));
}

/** The values that a picture was made with, to go on from it. */
export function fromRequest(values: Values, request: CreateGeneration): Values {
  const { base_model, prompt, negative_prompt, seed, n_steps, guidance, width, height, sampler } = request;
  return {
    ...values,
    base_model,
    prompt,
    negative_prompt: negative_prompt ?? "",
    literal: request.literal ?? false,
    seed: String(seed ?? values.seed),
    locked: true,
    n_steps: n_steps ?? values.n_steps,
    guidance: guidance ?? values.guidance,
    side: width && height ? { width, height } : null,
    sampler: sampler ?? values.sampler,
    loras: (request.loras ?? []).map(({ model_version_id, weight }) => ({ id: model_version_id, weight })),
  };
}

/** What a slider must reach to show a value that came from elsewhere. */
export function reaching(value: number, min: number, max: number): { min: number; max: number } {
  return { min: Math.min(min, value), max: Math.max(max, value) };
}

/** The size as a choice of the list: that of the base model has no numbers of its own. */
export function sizeKey(side: Values["side"], native: number): string {
  const [square] = sizes(native);
  const isNative = side && square && side.width === square.width && side.height === square.height;
  return side && !isNative ? `${side.width}x${side.height}` : "native";
}

/** Sizes with about the area that the base was trained at, as multiples of 64 (or 8 for small bases). */
export function sizes(native: number): { label: string; width: number; height: number }[] {
  const step = native >= 512 ? 64 : 8;
  const size = (ratio: number) => {
    const width = Math.round((native * Math.sqrt(ratio)) / step) * step;
    return { width, height: Math.round((native * native) / width / step) * step };
  };
  return [
    { label: "Square", ...size(1) },
    { label: "Portrait", ...size(3 / 4) },
    { label: "Tall panel", ...size(9 / 16) },
    { label: "Landscape", ...size(4 / 3) },
    { label: "Wide panel", ...size(16 / 9) },
  ];
}

/** Whether a tag names a LoRA follows from these. */
const OF_PROMPTS = ["literal", "base_model"];
const BESIDE = { prompt: OF_PROMPTS, negative_prompt: OF_PROMPTS, loras: ["base_model"] };

/** What was wrong with the pictures that were asked for, as far as nothing about it was changed since. */
export function refusedStill(
  errors: Record<string, string>,
  sent: CreateGeneration[] | undefined,
  now: CreateGeneration[],
): Record<string, string> {
  return stillWrong(errors, sent?.at(-1), now.at(-1), BESIDE);
}
