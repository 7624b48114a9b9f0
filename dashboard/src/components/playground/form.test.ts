import { expect, test } from "vitest";
import type { BaseModel, ModelVersion } from "~/api/types";
import {
  addLora,
  byName,
  fits,
  fromRequest,
  hasWrongSeed,
  initial,
  nextSeed,
  offered,
  reaching,
  refusedStill,
  sizeKey,
  sizes,
  suggestedBy,
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

test("the list of LoRAs has an order of its own", () => {
  const of = (name: string, version: number) => ({ name, version }) as ModelVersion;
  const sorted = [of("Zora", 1), of("Max", 2), of("Zora", 10), of("Max", 3)].toSorted(byName);
  expect(sorted.map(({ name, version }) => `${name} v${version}`)).toEqual([
    "Max v3",
    "Max v2",
    "Zora v10",
    "Zora v1",
  ]);
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

test("a LoRA that is added brings its weight, and its trigger words where the prompt lacks them", () => {
  const version = {
    id: "c",
    trigger_word: "Zora",
    usage: { weight: 0.7, trigger_words: ["Zora", "inked"], n_steps: 28, prompt: "Zora, city" },
  } as unknown as ModelVersion;
  const typed = { ...values, prompt: "portrait of zora" };
  expect(addLora(typed, version)).toEqual({
    loras: [...values.loras, { id: "c", weight: 0.7 }],
    prompt: "inked, portrait of zora",
  });
  const plain = { id: "d", trigger_word: "max" } as ModelVersion;
  expect(addLora({ ...typed, prompt: "" }, plain)).toMatchObject({ prompt: "max" });

  const added = { ...typed, ...addLora(typed, version) };
  expect(suggestedBy(added, version)).toEqual({ loras: added.loras, n_steps: 28 });
  expect(suggestedBy({ ...added, prompt: "" }, version)).toMatchObject({ prompt: "Zora, city" });
  expect(suggestedBy(added, plain)).toEqual({});
});

test("the example of a LoRA whose words come from its training replaces those words alone", () => {
  const version = {
    id: "c",
    trigger_word: "zora",
    usage: { prompt: "zora, city" },
  } as unknown as ModelVersion;
  const begun = withLora({ ...values, prompt: "" }, version);
  expect(begun.prompt).toBe("zora");
  expect(suggestedBy(begun, version)).toMatchObject({ prompt: "zora, city" });
  expect(suggestedBy({ ...begun, prompt: "zora, typed" }, version)).toEqual({});
});

test("a trigger word is not found inside of other words", () => {
  const prompt = (text: string, ...trigger_words: string[]) =>
    addLora({ ...values, prompt: text }, { id: "c", usage: { trigger_words } } as unknown as ModelVersion)
      .prompt;
  expect(prompt("a party", "art")).toBe("art, a party");
  expect(prompt("Art, a party", "art")).toBe("Art, a party");
  expect(prompt("überart", "art")).toBe("art, überart");
  expect(prompt("(zora style:1.2)", "zora style")).toBe("(zora style:1.2)");
  expect(prompt("a zzora", "c++", "zora.")).toBe("c++, zora., a zzora");
  expect(prompt("in c++ and 第一", "c++", "第一")).toBe("in c++ and 第一");
});

test("the size of the base model is called by its name, whoever chose it", () => {
  expect(sizeKey(null, 128)).toBe("native");
  expect(sizeKey({ width: 128, height: 128 }, 128)).toBe("native");
  expect(sizeKey({ width: 96, height: 160 }, 128)).toBe("96x160");
});
