import { expect, test } from "vitest";
import type { PromptCount } from "~/api/types";
import { atZero, hasTag, inWords, longest, notes } from "./words";

const count = (change: Partial<PromptCount> = {}): PromptCount => ({
  n_tokens: 62,
  chunks: [62],
  borders: [],
  loras: [],
  warnings: [],
  ...change,
});

test("tokens are counted against the chunks that they take", () => {
  expect(inWords(undefined, 0)).toBe("0 / 75 tokens");
  expect(inWords(count(), 1)).toBe("62 / 75 tokens");
  expect(inWords(count({ n_tokens: 160, chunks: [75, 75, 10] }), 1)).toBe("160 / 225 tokens in 3 chunks");
  expect(inWords(count(), 2)).toBe("62 / 75 tokens (longest line)");
});

test("the longest prompt is the one with the most chunks", () => {
  const broken = count({ n_tokens: 3, chunks: [1, 2] });
  expect(longest([count(), broken, count({ n_tokens: 70, chunks: [70] })])).toBe(broken);
  expect(longest([])).toBeUndefined();
});

test("warnings come before the LoRAs that were found", () => {
  const lora = { tag: "<lora:zora:0.8>", name: "Zora", weight: 0.8 };
  const found = count({
    warnings: ["`(` at character 3 is never closed"],
    loras: [{ ...lora, model_version_id: "a", version: 2 }, lora],
  });
  expect(notes([found])).toEqual([
    { text: "`(` at character 3 is never closed.", isWarning: true },
    { text: "<lora:zora:0.8> is Zora v2 at weight 0.8", isWarning: false },
  ]);
  expect(notes([count(), found])[0]?.text).toBe("Line 2: `(` at character 3 is never closed");
});

test("a comparison sets the LoRAs of tags to 0", () => {
  expect(atZero("zora <lora:zora:0.8>, <lyco:Ink v2:1:0.5> (a:1.2)")).toBe(
    "zora <lora:zora:0>, <lyco:Ink v2:0> (a:1.2)",
  );
  expect(hasTag("a <lora:zora>")).toBe(true);
  expect(hasTag("a <3 <lora>")).toBe(false);
});
