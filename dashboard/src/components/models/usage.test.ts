import { expect, test } from "vitest";
import type { ModelVersion } from "~/api/types";
import { formOf, usageOf, wordsOf } from "./usage";

test("what is kept comes back into the form, and what is no number is named", () => {
  const usage = {
    trigger_words: ["zora", "inked"],
    weight: 0.8,
    sampler: "euler_a" as const,
    n_steps: 28,
    guidance: 6.5,
    prompt: "zora, city",
    negative_prompt: "",
  };
  expect(usageOf(formOf(usage))).toEqual({ usage });
  expect(usageOf({ ...formOf(usage), weight: " 0,8 " })).toEqual({ usage });
  expect(usageOf({ ...formOf(null), weight: "strong", n_steps: "2.5" })).toEqual({
    errors: { weight: "Enter a number.", n_steps: "Enter a whole number." },
  });
  expect(usageOf(formOf(undefined))).toMatchObject({
    usage: { trigger_words: [], weight: null, sampler: null },
  });
});

test("the owner's words stand before those that a file was trained or imported with", () => {
  const version = {
    trigger_word: "zora",
    imported: { trigger_words: ["zora", "ink"] },
  } as unknown as ModelVersion;
  expect(wordsOf(version)).toEqual(["zora", "ink"]);
  expect(
    wordsOf({ ...version, usage: { trigger_words: ["other"], prompt: "", negative_prompt: "" } }),
  ).toEqual(["other"]);
  expect(wordsOf({})).toEqual([]);
});
