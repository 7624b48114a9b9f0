// Reads a picture's settings as AUTOMATIC1111 and websites write them, the text `parameters` of a PNG file. The same
// as `crates/protocol/src/made/a1111.rs` reads; both are tested with its `cases.json`.
import type { Sampler } from "~/api/types";
import { parseSeed } from "./seed";

export interface NamedLora {
  name: string;
  weight: number;
  /** First digits of the SHA-256 of its tensors, or of its file. */
  hash: string | null;
}

export interface Settings {
  prompt: string;
  negative_prompt: string | null;
  loras: NamedLora[];
  seed: string | null;
  n_steps: number | null;
  guidance: number | null;
  size: [number, number] | null;
  sampler: Sampler | null;
  base: string | null;
  base_hash: string | null;
  /** What could not be taken, each with its reason. */
  not_taken: string[];
}

const NEGATIVE = "Negative prompt:";
const MAX_LORAS = 64;
const MAX_TAG = 300;
const MAX_NOT_TAKEN = 50;
const SAMPLERS: Record<string, Sampler> = {
  euler: "euler",
  "euler a": "euler_a",
  ddim: "ddim",
  "dpm++ 2m": "dpmpp2m",
};
// Before version 1.9 the schedule was part of the sampler's name.
const SCHEDULES = [" Karras", " Exponential", " SGM Uniform", " Simple", " Beta"];
// They say what wrote the text, or repeat other pairs.
const SILENT = ["Version", "Hashes", "Created Date", "Civitai resources", "Civitai metadata"];

export function readInfotext(given: string): Settings {
  const text = given.replaceAll("\r\n", "\n").trim();
  const at = text.lastIndexOf("\n");
  const found = pairs(text.slice(at + 1));
  // A1111's own rule: three pairs make a line of settings, and anything less is prompt.
  const isLine = found.length >= 3;
  const words = isLine ? text.slice(0, Math.max(at, 0)) : text;
  const cut = words.startsWith(NEGATIVE) ? 0 : words.indexOf(`\n${NEGATIVE}`);
  const positive = cut < 0 ? words : words.slice(0, cut);
  const negative = cut < 0 ? "" : words.slice(words.indexOf(NEGATIVE, cut) + NEGATIVE.length).trim();
  const settings: Settings = {
    ...withoutTags(positive),
    negative_prompt: negative || null,
    seed: null,
    n_steps: null,
    guidance: null,
    size: null,
    sampler: null,
    base: null,
    base_hash: null,
  };
  for (const [key, value] of isLine ? found : []) {
    const problem = take(settings, key, value);
    if (problem) settings.not_taken.push(`\`${short(key)}: ${short(value)}\`: ${problem}`);
  }
  const more = settings.not_taken.length - MAX_NOT_TAKEN;
  if (more > 0) settings.not_taken.splice(MAX_NOT_TAKEN, more, `${more} more`);
  return settings;
}

/** Takes a pair, or says why not. */
function take(settings: Settings, key: string, value: string): string | null {
  const number = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : null;
  switch (key) {
    case "Steps": {
      if (number === null || !/^\d+$/.test(value)) return UNREADABLE;
      if (number < 1 || number > 150) return `must be from 1 to 150, not ${number}`;
      settings.n_steps = number;
      return null;
    }
    case "CFG scale":
      if (number === null) return UNREADABLE;
      if (number < 1 || number > 30) return `must be from 1 to 30, not ${number}`;
      settings.guidance = number;
      return null;
    case "Seed": {
      const seed = parseSeed(value);
      if (seed.kind !== "fixed") return UNREADABLE;
      settings.seed = seed.seed;
      return null;
    }
    case "Size": {
      const sides = /^(\d+)x(\d+)$/.exec(value);
      if (!sides) return UNREADABLE;
      const size: [number, number] = [Number(sides[1]), Number(sides[2])];
      const odd = size.find((side) => side < 64 || side > 2048 || side % 8 !== 0);
      if (odd !== undefined) return `must be a multiple of 8 from 64 to 2048, not ${odd}`;
      settings.size = size;
      return null;
    }
    case "Sampler": {
      const schedule = SCHEDULES.find((one) => value.endsWith(one));
      const name = schedule ? value.slice(0, -schedule.length) : value;
      settings.sampler = SAMPLERS[name.toLowerCase()] ?? null;
      if (!settings.sampler)
        return "there is no such sampler here; there are Euler, Euler a, DDIM and DPM++ 2M";
      return schedule ? `the schedule${schedule} is left out` : null;
    }
    case "Model":
      settings.base = short(value);
      return null;
    case "Model hash":
      settings.base_hash = short(value).toLowerCase();
      return null;
    case "Lora hashes":
      for (const pair of value.split(",")) {
        const colon = pair.lastIndexOf(":");
        const hash = pair
          .slice(colon + 1)
          .trim()
          .toLowerCase();
        const lora = settings.loras.find((one) => colon > 0 && one.name === pair.slice(0, colon).trim());
        if (lora && /^[0-9a-f]{8,}$/.test(hash)) lora.hash = hash;
      }
      return null;
    case "RNG":
      return value === "CPU" ? null : "only noise from the CPU can be drawn again";
    case "Schedule type":
      return value === "Automatic" ? null : UNKNOWN;
    default:
      return SILENT.includes(key) ? null : UNKNOWN;
  }
}

const UNREADABLE = "is not a value that can be read";
const UNKNOWN = "there is no such setting here";

/** Takes `<lora:name:weight>` out of a prompt. */
function withoutTags(prompt: string): Pick<Settings, "prompt" | "loras" | "not_taken"> {
  const loras: NamedLora[] = [];
  const not_taken: string[] = [];
  let words = "";
  let rest = prompt;
  for (let at = rest.indexOf("<"); at >= 0; at = rest.indexOf("<")) {
    words += rest.slice(0, at);
    rest = rest.slice(at);
    // A tag holds no other one, so every character is looked at once.
    const end = rest.slice(1).search(/[<>]/) + 1;
    const tag = end < MAX_TAG && rest[end] === ">" ? rest.slice(0, end + 1) : "";
    const [kind, name = "", ...numbers] = tag.slice(1, -1).split(":");
    if (!tag.slice(1, -1).includes(":")) {
      words += "<";
      rest = rest.slice(1);
      continue;
    }
    rest = rest.slice(tag.length);
    const problem = (why: string) => not_taken.push(`\`${short(tag)}\`: ${why}`);
    const weights = numbers.map((one) => (one.trim() === "" ? Number.NaN : Number(one)));
    if (kind === "hypernet") problem("hypernetworks are not read");
    else if (kind !== "lora" && kind !== "lyco") words += tag;
    else if (name.trim() === "") problem("it has no name");
    else if (loras.length === MAX_LORAS) problem("there are more LoRAs than one picture may have");
    else if (weights.some((weight) => !(weight >= -4 && weight <= 4)))
      problem("the weight must be a number from -4 to 4");
    else {
      const [weight = 1, second = weight] = weights;
      if (second !== weight) problem("one weight for U-Net and text encoders is taken, the first");
      loras.push({ name: name.trim(), weight, hash: null });
    }
  }
  return { prompt: (words + rest).trim(), loras, not_taken };
}

/** Splits a line into its pairs. A value with commas is quoted as JSON. */
function pairs(line: string): [string, string][] {
  const found: [string, string][] = [];
  let rest = line;
  for (let colon = rest.indexOf(":"); colon >= 0; colon = rest.indexOf(":")) {
    // What stands before the key belongs to no pair.
    const key = rest.slice(0, colon).split(",").at(-1)?.trim() ?? "";
    rest = rest.slice(colon + 1).trimStart();
    const quoted = /^("(?:\\.|[^\\"])*")\s*(?:,|$)/.exec(rest);
    const raw = quoted?.[1] ?? rest.slice(0, comma(rest));
    if (/^[\p{Alphabetic}\p{N}_ /-]{2,}$/u.test(key)) found.push([key, quoted ? unquoted(raw) : raw.trim()]);
    rest = quoted ? rest.slice(quoted[0].length) : rest.slice(raw.length + 1);
  }
  return found;
}

function comma(text: string): number {
  const at = text.indexOf(",");
  return at < 0 ? text.length : at;
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

function short(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
