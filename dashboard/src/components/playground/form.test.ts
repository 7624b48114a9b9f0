import { expect, test } from "vitest";
import type { BaseModel, ModelVersion } from "~/api/types";
import { fromRequest, initial, offered, sizes, toRequests, withLora } from "./form";

const values = {
  ...initial("tiny-xl"),
  prompt: " zora, smiling ",
  seed: 7,
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
  expect(with_).toMatchObject({ prompt: "zora, smiling", seed: 7 });
});

test("there is nothing to compare without a LoRA", () => {
  expect(toRequests({ ...values, compare: true, loras: [] })).toHaveLength(1);
  expect(toRequests({ ...values, compare: false })).toHaveLength(1);
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
