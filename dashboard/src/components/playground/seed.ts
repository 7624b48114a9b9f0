// Seeds as text: JavaScript's numbers would lose digits of those above 2^53.

/** What a seed is, for a field's error. */
export const SEED_RULE = "Enter a whole number from 0 to 18446744073709551615, or -1 for a random seed.";

const MAX_SEED = 2n ** 64n - 1n;

export type ParsedSeed = { kind: "fixed"; seed: string } | { kind: "random" } | { kind: "wrong" };

/** Reads what was typed, as the server reads it. */
export function parseSeed(text: string): ParsedSeed {
  const typed = text.trim();
  if (typed === "-1" || typed === "−1") return { kind: "random" };
  if (!/^\d+$/.test(typed) || BigInt(typed) > MAX_SEED) return { kind: "wrong" };
  return { kind: "fixed", seed: String(BigInt(typed)) };
}

/** Seeds are shown and typed, so they stay short: 32 bits are plenty. */
export function randomSeed(): string {
  return String(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0);
}
