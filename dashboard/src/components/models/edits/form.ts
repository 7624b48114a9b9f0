// What the forms of the model page ask for, and the requests that they make.
import type {
  CreateEdit,
  KeepBy,
  LoraEdit,
  LoraNames,
  MergeMethod,
  ModelVersion,
  RegisterBase,
  RegisteredBase,
} from "~/api/types";
import { isUnderWay } from "~/api/under-way";

export interface Part {
  id: string;
  weight: number;
}

export interface MergeValues {
  parts: Part[];
  /** The base model to merge into; empty for a LoRA of its own. */
  into: string;
  method: MergeMethod;
  /** Of NP-LoRA: the one that is protected. */
  style: string;
  rank: string;
  strength: number;
  hard: boolean;
  name: string;
}

export interface ResizeValues {
  rank: string;
  /** Empty for the rank alone. */
  keep_by: KeepBy | "";
  keep: string;
  name: string;
}

export interface WeighValues {
  preset: "content" | "style" | "own";
  /** In the order of `BLOCKS`. */
  weights: number[];
  name: string;
}

/** Blocks of an SDXL LoRA with kohya's numbers, and what they mostly hold. */
export const BLOCKS = [
  ["BASE", "Text encoders"],
  ["IN04", "Down, 32 px"],
  ["IN05", "Down, 32 px"],
  ["IN07", "Down, 16 px"],
  ["IN08", "Down, 16 px"],
  ["MID", "Middle"],
  ["OUT00", "Up, 16 px: content"],
  ["OUT01", "Up, 16 px: style"],
  ["OUT02", "Up, 16 px"],
  ["OUT03", "Up, 32 px"],
  ["OUT04", "Up, 32 px"],
  ["OUT05", "Up, 32 px"],
] as const;

export const newMerge = (id: string): MergeValues => ({
  parts: [{ id, weight: 1 }],
  into: "",
  method: "concatenate",
  style: id,
  rank: "32",
  strength: 0.5,
  hard: false,
  name: "",
});

export const newResize = (): ResizeValues => ({ rank: "16", keep_by: "", keep: "0.95", name: "" });

export const newWeigh = (): WeighValues => ({ preset: "style", weights: BLOCKS.map(() => 1), name: "" });

/** A name that was left empty is that of the first LoRA. */
const named = (name: string) => (name.trim() === "" ? {} : { name: name.trim() });

/** What was typed; the server says what is wrong with it. */
const typed = (text: string) => Number(text.replace(",", "."));

export function mergeRequest(values: MergeValues): CreateEdit {
  const { into, method, rank, strength, hard, name } = values;
  const isNp = into === "" && method === "np_lora";
  // The first one is the style.
  const parts = isNp
    ? values.parts.toSorted((a, b) => Number(b.id === values.style) - Number(a.id === values.style))
    : values.parts;
  const loras = parts.map(({ id, weight }) => ({ model_version_id: id, weight }));
  if (into !== "") return { kind: "merge_into", loras, base_model: into };
  return {
    kind: "merge",
    loras,
    method,
    ...(method === "svd" && { rank: typed(rank) }),
    ...(isNp && (hard ? { hard } : { strength })),
    ...named(name),
  };
}

export function resizeRequest(id: string, { rank, keep_by, keep, name }: ResizeValues): CreateEdit {
  return {
    kind: "resize",
    loras: [{ model_version_id: id, weight: 1 }],
    ...(rank.trim() !== "" && { rank: typed(rank) }),
    ...(keep_by !== "" && { keep_by, keep: typed(keep) }),
    ...named(name),
  };
}

export function weighRequest(id: string, { preset, weights, name }: WeighValues): CreateEdit {
  const own = BLOCKS.map(([block], at) => `${block}=${weights[at] ?? 1}`).join(",");
  return {
    kind: "weigh",
    loras: [{ model_version_id: id, weight: 1 }],
    blocks: preset === "own" ? own : preset,
    ...named(name),
  };
}

export function convertRequest(id: string, to: LoraNames): CreateEdit {
  return { kind: "convert", loras: [{ model_version_id: id, weight: 1 }], to };
}

export interface ExtractValues {
  base_model: string;
  tuned_model: string;
  rank: string;
  name: string;
}

export const newExtract = (): ExtractValues => ({ base_model: "", tuned_model: "", rank: "64", name: "" });

export function extractRequest({ base_model, tuned_model, rank, name }: ExtractValues): CreateEdit {
  return { kind: "extract", base_model, tuned_model, rank: typed(rank), ...named(name) };
}

/** The source of a base model that an edit has made. */
const sourceOf = (editId: string) => `edit:${editId}`;

/** A name that a base model may have, like that of its file. */
export function baseNameOf(fileName: string): string {
  const stem = fileName.replace(/\.(safetensors|zip)$/, "");
  return stem.replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 80);
}

export function baseRequest(editId: string, name: string): RegisterBase {
  return { name: name.trim(), source: sourceOf(editId) };
}

/** The base models that an edit has become. */
export function basesOf(bases: RegisteredBase[], edit: LoraEdit): RegisteredBase[] {
  return bases.filter(({ source }) => source === sourceOf(edit.id));
}

/** Extractions in progress, and the newest one. */
export function openExtractions(edits: LoraEdit[]): LoraEdit[] {
  const all = edits.filter(({ request }) => request.kind === "extract");
  return all.filter((edit, at) => at === 0 || isUnderWay(edit));
}

export const PROGRAMS: Record<LoraNames, string> = {
  kohya: "kohya, ComfyUI, A1111",
  diffusers: "diffusers",
  peft: "PEFT",
};

/** What an edit makes, in a few words. */
export function inWords({ request }: LoraEdit): string {
  const { kind, loras = [], rank, to, base_model, blocks, method } = request;
  switch (kind) {
    case "merge":
      return `Merge of ${loras.length} LoRAs${method === "np_lora" ? " by NP-LoRA" : method === "svd" ? " by SVD" : ""}`;
    case "merge_into":
      return `${base_model ?? "Base model"} with ${loras.length === 1 ? "it" : `${loras.length} LoRAs`} merged in`;
    case "resize":
      return rank ? `Resize to rank ${rank}` : "Resize by what is kept";
    case "convert":
      return `For ${to ? PROGRAMS[to] : "another program"}`;
    case "extract":
      return `Difference to ${base_model ?? "a base model"}`;
    case "weigh":
      return `Block weights ${blocks === "content" || blocks === "style" ? blocks : ""}`.trim();
  }
}

/** Those that a version went into, the newest first. */
export function editsOf(edits: LoraEdit[], version: ModelVersion, most = 8): LoraEdit[] {
  const uses = ({ request }: LoraEdit) =>
    (request.loras ?? []).some(({ model_version_id }) => model_version_id === version.id);
  return edits.filter(uses).slice(0, most);
}
