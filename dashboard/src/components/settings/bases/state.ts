// What the list says of a registered base model.
import type { RegisteredBase } from "~/api/types";
import { formatBytes, formatPlural } from "~/lib/format";
import { describePrediction } from "./prediction";

/** What is known of it, from what matters most. */
export function factsOf(base: RegisteredBase): string[] {
  const { state, size_bytes, n_files, native_resolution, prediction, settings } = base;
  const facts: string[] = [];
  if (base.class) facts.push(base.class === "sdxl" ? "SDXL" : "Tiny SDXL");
  if (native_resolution) facts.push(`${native_resolution} px`);
  if (prediction) {
    facts.push(`${describePrediction(prediction)}${settings.prediction ? " (set by hand)" : ""}`);
  }
  if (size_bytes) facts.push(formatBytes(size_bytes));
  if (n_files > 1) facts.push(formatPlural(n_files, "file"));
  if (state === "ready") facts.push(base.is_fetchable ? "every machine can use it" : "this server only");
  if (base.copy === "stored") facts.push("in the object store");
  return facts;
}

/** Where it comes from, for a person. */
export function sourceInWords(source: string): string {
  return source.startsWith("edit:") ? "merged here; its file is kept as long as it is in this list" : source;
}

export interface Work {
  title: "Checking" | "Copying";
  /** From 0 to 1; null while it is unknown. */
  part: number | null;
  words: string;
}

/** What the server is doing with it. */
export function workOf(base: RegisteredBase): Work | null {
  const { state, copy, size_bytes, done_bytes } = base;
  if (state === "failed" || (state === "ready" && copy !== "copying")) return null;
  const title = state === "checking" ? "Checking" : "Copying";
  const what = state === "checking" ? "Reading and hashing it" : "Copying it to the object store";
  if (!size_bytes) return { title, part: null, words: state === "checking" ? "Inspecting it" : what };
  return {
    title,
    part: Math.min(1, done_bytes / size_bytes),
    words: `${what}: ${formatBytes(done_bytes)} of ${formatBytes(size_bytes)}`,
  };
}

/** Whether copying it would let more machines use it. */
export function isCopyOffered({ state, copy, is_fetchable }: RegisteredBase): boolean {
  return state === "ready" && !is_fetchable && (copy === "none" || copy === "failed");
}

/** Changes when something changes that forms elsewhere depend on. */
export function usableKey(bases: RegisteredBase[]): string {
  return JSON.stringify(
    bases.map((base) => [base.name, base.state, base.class ?? null, base.is_fetchable, base.notes ?? []]),
  );
}
