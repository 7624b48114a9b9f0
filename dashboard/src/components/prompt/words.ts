// What a prompt counter says.
import type { PromptCount } from "~/api/types";
import { formatSentence } from "~/lib/format";

/** Tokens of text in a chunk. */
const CHUNK = 75;

/** The prompt with the most chunks and tokens. */
export function longest(counts: PromptCount[]): PromptCount | undefined {
  return counts.reduce<PromptCount | undefined>((most, count) => {
    const key = (one: PromptCount) => one.chunks.length * 1e6 + one.n_tokens;
    return most === undefined || key(count) > key(most) ? count : most;
  }, undefined);
}

/** `62 / 75 tokens`, or `160 / 225 tokens in 3 chunks`. */
export function inWords(count: PromptCount | undefined, n_prompts: number): string {
  const n_chunks = count?.chunks.length ?? 1;
  const tokens = `${count?.n_tokens ?? 0} / ${n_chunks * CHUNK} tokens`;
  const chunks = n_chunks > 1 ? ` in ${n_chunks} chunks` : "";
  return `${tokens}${chunks}${n_prompts > 1 ? " (longest line)" : ""}`;
}

/** Warnings, and the LoRAs that tags were resolved to. */
export function notes(counts: PromptCount[]): { text: string; isWarning: boolean }[] {
  const of = counts.flatMap((count, index) => {
    const line = counts.length > 1 ? `Line ${index + 1}: ` : "";
    const warnings = count.warnings.map((text) => ({
      text: line + (line ? text : formatSentence(text)),
      isWarning: true,
    }));
    const loras = count.loras
      .filter((lora) => lora.model_version_id)
      .map((lora) => ({
        text: `${line}${lora.tag} is ${lora.name} v${lora.version} at weight ${lora.weight}`,
        isWarning: false,
      }));
    return [...warnings, ...loras];
  });
  const seen = new Set<string>();
  return of.filter(({ text }) => !seen.has(text) && seen.add(text));
}

const TAG = /<(lora|lyco):([^:>]+)[^>]*>/gi;

/** Whether a prompt names a LoRA. */
export function hasTag(prompt: string): boolean {
  return prompt.search(TAG) >= 0;
}

/** The same prompt with every LoRA that it names at weight 0. */
export function atZero(prompt: string): string {
  return prompt.replace(TAG, "<$1:$2:0>");
}
