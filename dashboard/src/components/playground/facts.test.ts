import { expect, test } from "vitest";
import type { Generation } from "~/api/types";
import { factsOf, isBaseline, labelOf, lorasOf } from "./facts";

const picture = (weight: number): Generation => ({
  id: "g",
  phase: "succeeded",
  request: {
    base_model: "tiny-xl",
    prompt: "zora",
    negative_prompt: "",
    literal: false,
    seed: "42",
    n_steps: 28,
    guidance: 6,
    sampler: "euler_a",
    loras: [{ model_version_id: "a", weight }],
  },
  notes: [],
  duration_ms: 1500,
  created_at: "",
});

test("a picture says its own LoRA, weight, version and seed", () => {
  const versions = [{ id: "a", name: "Zora", version: 2 }];
  expect(lorasOf(picture(1), versions)).toEqual(["Zora v2 at 1.00"]);
  expect(lorasOf(picture(0.6), [])).toEqual(["a deleted LoRA at 0.60"]);
  expect(factsOf(picture(1))).toBe("seed 42 · 28 steps of Euler A · guidance 6 · 1.5 s");
});

test("the picture to compare with is known by its weights", () => {
  expect(isBaseline(picture(0))).toBe(true);
  expect(isBaseline(picture(0.5))).toBe(false);
  expect(isBaseline({ request: { ...picture(0).request, loras: [] } })).toBe(false);
  expect(labelOf(picture(0), 1, 2)).toBe("Without the LoRA");
  expect(labelOf(picture(1), 0, 2)).toBe("With the LoRA");
  expect(labelOf(undefined, 0, 2)).toBe("Without the LoRA");
  expect(labelOf(picture(0), 0, 1)).toBe("Picture");
  expect(labelOf(picture(0), 2, 3)).toBe("Picture 3");
});
