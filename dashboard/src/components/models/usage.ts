// How a version is used: its trigger words, and a form's texts as the request that keeps them.
import { fields } from "~/api/fields";
import type { HowToUse, ModelVersion, Sampler } from "~/api/types";

export const SAMPLERS: readonly Sampler[] = fields.CreateGeneration.sampler.options;

/** The words that activate it: those that its owner says, else those that it was trained or imported with. */
export function wordsOf({
  usage,
  trigger_word,
  imported,
}: Pick<ModelVersion, "usage" | "trigger_word" | "imported">): string[] {
  const said = usage?.trigger_words ?? [];
  if (said.length > 0) return said;
  const own = [trigger_word, ...(imported?.trigger_words ?? [])];
  return [...new Set(own.filter((word) => word != null && word !== ""))] as string[];
}

/** What is typed. */
export interface UsageForm {
  trigger_words: string;
  weight: string;
  /** Empty for none. */
  sampler: Sampler | "";
  n_steps: string;
  guidance: string;
  prompt: string;
  negative_prompt: string;
}

export function formOf(usage: HowToUse | null | undefined): UsageForm {
  const number = (value: number | null | undefined) => (value == null ? "" : String(value));
  return {
    trigger_words: (usage?.trigger_words ?? []).join(", "),
    weight: number(usage?.weight),
    sampler: usage?.sampler ?? "",
    n_steps: number(usage?.n_steps),
    guidance: number(usage?.guidance),
    prompt: usage?.prompt ?? "",
    negative_prompt: usage?.negative_prompt ?? "",
  };
}

/** The request, or by field what is no number. */
export function usageOf(form: UsageForm): { usage: HowToUse } | { errors: Record<string, string> } {
  const errors: Record<string, string> = {};
  const number = (field: "weight" | "n_steps" | "guidance"): number | null => {
    const text = form[field].trim().replace(",", ".");
    if (text === "") return null;
    const value = Number(text);
    const isFit = field === "n_steps" ? Number.isInteger(value) : Number.isFinite(value);
    if (!isFit) errors[field] = field === "n_steps" ? "Enter a whole number." : "Enter a number.";
    return value;
  };
  const usage: HowToUse = {
    trigger_words: form.trigger_words
      .split(",")
      .map((word) => word.trim())
      .filter((word) => word !== ""),
    weight: number("weight"),
    sampler: form.sampler || null,
    n_steps: number("n_steps"),
    guidance: number("guidance"),
    prompt: form.prompt,
    negative_prompt: form.negative_prompt,
  };
  return Object.keys(errors).length > 0 ? { errors } : { usage };
}
