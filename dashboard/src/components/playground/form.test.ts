import { expect, test } from "vitest";
import type { BaseModel, ModelVersion } from "~/api/types";
import {
  fits,
  fromRequest,
  hasWrongSeed,
  initial,
  nextSeed,
  offered,
  reaching,
  refusedStill,
  sizes,
  toRequests,
  withLora,
} from "./form";

const values = {
  ...initial("tiny-xl"),
  prompt: " zora, smiling ",
  seed: "7",
  loras: [
    { id: "a", weight: 0.8 },
    { id: "b", weight: 1.2 },
  ],
};

test("a comparison is the same request at weight 0 and at the chosen weights", () => {
  const [without, with_] = toRequests({ ...values, compare: true });
  expect(without?.loras).toEqual([
    { model_version_id: "a", weight: 0 },
    { model_version_id: "b", weight: 0 },
  ]);
  expect(with_?.loras).toEqual([
    { model_version_id: "a", weight: 0.8 },
    { model_version_id: "b", weight: 1.2 },
  ]);
  expect({ ...without, loras: [] }).toEqual({ ...with_, loras: [] });
  expect(with_).toMatchObject({ prompt: "zora, smiling", seed: "7" });
});

test("a LoRA that the prompt names is compared too", () => {
  const tagged = { ...values, loras: [], prompt: "zora <lora:zora:0.8>", compare: true };
  const prompts = (literal: boolean) => toRequests({ ...tagged, literal }).map(({ prompt }) => prompt);
  expect(prompts(false)).toEqual(["zora <lora:zora:0>", "zora <lora:zora:0.8>"]);
  expect(prompts(true)).toEqual(["zora <lora:zora:0.8>"]);
});

test("there is nothing to compare without a LoRA", () => {
  expect(toRequests({ ...values, compare: true, loras: [] })).toHaveLength(1);
  expect(toRequests({ ...values, compare: false })).toHaveLength(1);
});

test("a picture is sent to the session that is chosen, and nowhere else when that is over", () => {
  expect(toRequests(values)[0]).not.toHaveProperty("drawing_session_id");
  const sent = { ...values, session: "s" };
  expect(toRequests(sent).map((one) => one.drawing_session_id)).toEqual(["s", "s"]);
  expect(offered(sent, [], []).session).toBe("s");
});

test("a picture's settings can be taken up again", () => {
  const [request] = toRequests({ ...values, compare: false, side: { width: 96, height: 160 }, n_steps: 9 });
  if (!request) throw new Error("no request was made");
  const again = fromRequest(initial("other"), request);
  expect(toRequests({ ...again, compare: false })).toEqual([request]);
  expect(again.locked).toBe(true);
});

test.each([128, 1024])("sizes keep about the area of %d squared, in steps that the VAE takes", (native) => {
  for (const { width, height } of sizes(native)) {
    expect(width % 8).toBe(0);
    expect(height % 8).toBe(0);
    expect((width * height) / native ** 2).toBeCloseTo(1, 0.5);
  }
});

test("what was kept is offered as far as it is still there", () => {
  const bases = [{ name: "sdxl" }] as BaseModel[];
  const kept = offered({ ...values, prompt: "typed" }, bases, [{ id: "b" }] as ModelVersion[]);
  expect(kept).toMatchObject({ base_model: "sdxl", prompt: "typed", loras: [{ id: "b", weight: 1.2 }] });
});

test("coming from a model begins with its LoRA, and keeps a prompt that was typed", () => {
  const version = { id: "c", base_model: "sdxl", trigger_word: "max" } as ModelVersion;
  expect(withLora(values, version)).toMatchObject({ prompt: values.prompt, loras: [{ id: "c", weight: 1 }] });
  expect(withLora(initial("sdxl"), version).prompt).toBe("max");
  expect(withLora({ ...values, loras: [{ id: "c", weight: 0.5 }] }, version).loras).toEqual([
    { id: "c", weight: 0.5 },
  ]);
});

test("an imported LoRA goes with every base model of its size, a trained one with its own", () => {
  const base = (name: string, of: string) => ({ name, class: of }) as BaseModel;
  const imported = { base_model: "sdxl", imported: { base_class: "sdxl" } } as ModelVersion;
  const trained = { base_model: "sdxl" } as ModelVersion;
  expect(fits(imported, base("pony", "sdxl"))).toBe(true);
  expect(fits(imported, base("tiny-xl", "tiny"))).toBe(false);
  expect(fits(imported, undefined)).toBe(false);
  expect(fits(trained, base("pony", "sdxl"))).toBe(false);
  expect(fits(trained, base("sdxl", "sdxl"))).toBe(true);
});

test("a seed that is kept is used to its last digit, and -1 is drawn anew", () => {
  const kept = { ...values, locked: true };
  expect(nextSeed({ ...kept, seed: "18446744073709551615" })).toBe("18446744073709551615");
  for (const random of [
    { ...kept, seed: "-1" },
    { ...values, locked: false },
  ]) {
    expect(nextSeed(random)).toMatch(/^\d+$/);
    expect(nextSeed(random)).not.toBe(nextSeed(random));
    expect(hasWrongSeed(random)).toBe(false);
  }
  expect(hasWrongSeed({ ...kept, seed: "7.5" })).toBe(true);
  // It is not used: each picture gets a new one.
  expect(hasWrongSeed({ ...kept, locked: false, seed: "" })).toBe(false);
});

test("a large seed is taken up from the server's string, and a small one from its number", () => {
  const request = { base_model: "tiny-xl", prompt: "zora", literal: false, n_steps: 9, guidance: 5 };
  expect(fromRequest(values, { ...request, seed: "18446744073709551615" }).seed).toBe("18446744073709551615");
  expect(fromRequest(values, { ...request, seed: 7 }).seed).toBe("7");
});

test("a slider reaches what a picture was made with", () => {
  expect(reaching(-0.5, 0, 2)).toEqual({ min: -0.5, max: 2 });
  expect(reaching(100, 1, 60)).toEqual({ min: 1, max: 100 });
});

test("what was wrong with a field is said until the field changes", () => {
  const sent = toRequests(values);
  const errors = { prompt: "must have at most 4000 characters", "loras[0].weight": "is too large" };
  expect(refusedStill(errors, sent, toRequests({ ...values, n_steps: 9 }))).toEqual(errors);
  expect(refusedStill(errors, sent, toRequests({ ...values, prompt: "zora" }))).toEqual({
    "loras[0].weight": "is too large",
  });
  const lighter = toRequests({ ...values, loras: [{ id: "a", weight: 0.1 }] });
  expect(refusedStill(errors, sent, lighter)).toEqual({ prompt: errors.prompt });
  for (const change of [{ literal: true }, { base_model: "noob" }]) {
    expect(refusedStill(errors, sent, toRequests({ ...values, ...change }))).not.toHaveProperty("prompt");
  }
  expect(refusedStill(errors, undefined, sent)).toEqual(errors);
});
