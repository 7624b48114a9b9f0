// The settings that a picture carries, as values of the playground.
import type { BaseModel, ModelVersion, Sampler } from "~/api/types";
import { PngError, readTexts } from "~/lib/png-texts";
import { fits as fitsBase, LIMITS, type Lora, SAMPLERS, type Values } from "./form";
import { readInfotext, type Settings } from "./infotext";
import { parseSeed } from "./seed";

export interface Restored {
  change: Partial<Values>;
  /** What could not be restored, each a sentence. */
  missing: string[];
}

interface Library {
  bases: BaseModel[];
  versions: ModelVersion[];
  /** The base model that stays chosen if the picture's is not here. */
  base_model: string;
}

interface WantedLora {
  name: string;
  weight: number;
  id?: string | undefined;
  /** SHA-256 of the file. */
  sha256?: string | undefined;
  /** First digits of the SHA-256 of the tensors or of the file. */
  hash?: string | undefined;
}

/** Reads a picture's settings in the browser; throws a `PngError` if it has none. */
export async function settingsOf(file: Blob, library: Library): Promise<Restored> {
  const texts = await readTexts(file);
  const record = texts.get("morpheus");
  if (record !== undefined) return fromRecord(record, library);
  const parameters = texts.get("parameters");
  if (parameters !== undefined) return fromInfotext(readInfotext(parameters), library);
  throw new PngError(
    texts.has("workflow") || texts.has("prompt")
      ? "It carries nodes of ComfyUI, which are not read. Settings of Morpheus and A1111 are."
      : "It carries no settings: they were removed, or the program that drew it wrote none.",
  );
}

/** Our own record, `protocol::made::Made`. */
function fromRecord(json: string, library: Library): Restored {
  let made: Record<string, unknown>;
  try {
    made = fields(JSON.parse(json));
  } catch {
    throw new PngError("Its record is damaged.");
  }
  if (typeof made.version !== "number" || made.version > 1)
    throw new PngError(
      "It was drawn by a newer version of Morpheus. Update this server to read its settings.",
    );
  const seed = parseSeed(String(made.seed));
  const { width, height } = made;
  const loras = Array.isArray(made.loras) ? made.loras.map(fields) : [];
  const [restored, missing] = common(
    {
      prompt: text(made.prompt) ?? "",
      negative_prompt: text(made.negative_prompt) ?? null,
      literal: made.literal === true,
      seed: seed.kind === "fixed" ? seed.seed : null,
      n_steps: within(made.n_steps, LIMITS.n_steps),
      guidance: within(made.guidance, LIMITS.guidance),
      size: isSide(width) && isSide(height) ? [width, height] : null,
      sampler: SAMPLERS.find((one) => one === made.sampler) ?? null,
      base: text(fields(made.base).name) ?? null,
      loras: loras.map((lora) => ({
        name: text(lora.name) ?? "unnamed",
        weight: typeof lora.weight === "number" ? lora.weight : 1,
        id: text(lora.model_version_id),
        sha256: text(lora.sha256),
        hash: text(lora.data_sha256),
      })),
    },
    library,
  );
  if (made.initial_noise)
    missing.push("The picture was drawn from a file with noise, which the page cannot use.");
  return { change: restored, missing };
}

function fromInfotext(settings: Settings, library: Library): Restored {
  const loras = settings.loras.map(({ name, weight, hash }) => ({ name, weight, hash: hash ?? undefined }));
  const [change, missing] = common({ ...settings, literal: false, loras }, library);
  return { change, missing: [...missing, ...settings.not_taken.map((what) => `${what}.`)] };
}

interface Found {
  prompt: string;
  negative_prompt: string | null;
  literal: boolean;
  seed: string | null;
  n_steps: number | null;
  guidance: number | null;
  size: [number, number] | null;
  sampler: Sampler | null;
  base: string | null;
  loras: WantedLora[];
}

function common(found: Found, library: Library): [Partial<Values>, string[]] {
  const missing: string[] = [];
  const base = library.bases.find(({ name }) => found.base !== null && stem(name) === stem(found.base));
  if (!base) missing.push(`Base model \`${found.base ?? "unknown"}\` is not on this server.`);
  const base_model = base?.name ?? library.base_model;
  const loras: Lora[] = [];
  for (const wanted of found.loras) {
    const version = versionOf(wanted, library.versions);
    if (!version) missing.push(`LoRA \`${wanted.name}\` is not in the library.`);
    else if (version.stage === "retired") missing.push(`LoRA \`${wanted.name}\` is retired.`);
    else if (
      !fitsBase(
        version,
        library.bases.find(({ name }) => name === base_model),
      )
    )
      missing.push(`LoRA \`${wanted.name}\` was trained on another base model, \`${version.base_model}\`.`);
    else if (!loras.some(({ id }) => id === version.id)) {
      loras.push({ id: version.id, weight: wanted.weight });
      if (!isSame(wanted, version) && (wanted.sha256 ?? wanted.hash))
        missing.push(`LoRA \`${wanted.name}\` is another file of that name: the picture will differ.`);
    }
  }
  const change: Partial<Values> = {
    base_model,
    prompt: found.prompt,
    negative_prompt: found.negative_prompt ?? "",
    literal: found.literal,
    loras,
    side: found.size && { width: found.size[0], height: found.size[1] },
    ...(found.seed !== null && { seed: found.seed, locked: true }),
    ...(found.n_steps !== null && { n_steps: found.n_steps }),
    ...(found.guidance !== null && { guidance: found.guidance }),
    ...(found.sampler !== null && { sampler: found.sampler }),
  };
  for (const [name, value] of [
    ["seed", found.seed],
    ["number of steps", found.n_steps],
    ["guidance", found.guidance],
    ["size", found.size],
    ["sampler", found.sampler],
  ] as const)
    if (value === null) missing.push(`The picture has no ${name} that can be taken.`);
  return [change, missing];
}

/** By hash where both have one, else by name; the newest version of a name. */
function versionOf(wanted: WantedLora, versions: ModelVersion[]): ModelVersion | undefined {
  const byHash = versions.filter((version) => isSame(wanted, version));
  // Two versions may have the same bytes.
  const exact = byHash.find(({ id, stage }) => id === wanted.id && stage !== "retired");
  if (exact) return exact;
  if (byHash.length > 0) return byHash.find(({ stage }) => stage !== "retired") ?? byHash[0];
  const named = versions.filter(
    ({ name, file_name }) => stem(file_name) === wanted.name || name === wanted.name,
  );
  return named.sort((a, b) => b.version - a.version).find(({ stage }) => stage !== "retired") ?? named[0];
}

function isSame(wanted: WantedLora, { sha256, metadata }: ModelVersion): boolean {
  if (wanted.sha256) return wanted.sha256.toLowerCase() === sha256;
  const hash = wanted.hash?.toLowerCase();
  if (!hash || hash.length < 8) return false;
  // Trainers write the hash of the tensors into the header.
  return sha256.startsWith(hash) || (metadata.sshs_model_hash ?? "").startsWith(hash);
}

function stem(name: string): string {
  return name.replace(/\.(safetensors|ckpt)$/, "");
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function within(value: unknown, limits: { minimum: number; maximum: number }): number | null {
  const fits = typeof value === "number" && value >= limits.minimum && value <= limits.maximum;
  return fits ? value : null;
}

function isSide(value: unknown): value is number {
  return typeof value === "number" && value >= 64 && value <= 2048 && value % 8 === 0;
}
