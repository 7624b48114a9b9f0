import { expect, test } from "vitest";
import type { BaseModel, ModelVersion } from "~/api/types";
import { latinChunk, pngOf, utf8Chunk } from "~/lib/png-testing";
import { settingsOf } from "./picture-settings";

const hash = (digit: string) => digit.repeat(64);
const version = (id: string, more: Partial<ModelVersion>) =>
  ({
    id,
    name: "Zora",
    file_name: "Zora.safetensors",
    version: 1,
    stage: "draft",
    base_model: "tiny-xl",
    sha256: hash("0"),
    metadata: {},
    ...more,
  }) as ModelVersion;

const library = {
  bases: [{ name: "tiny-xl" }, { name: "sdxl" }] as BaseModel[],
  base_model: "sdxl",
  versions: [
    version("a", { sha256: hash("4") }),
    version("b", { version: 2, sha256: hash("5"), metadata: { sshs_model_hash: hash("6") } }),
    version("c", { name: "Old", file_name: "Old.safetensors", stage: "retired", sha256: hash("7") }),
  ],
};

const record = {
  version: 1,
  program: "Morpheus 0.1.0",
  base: { name: "tiny-xl", fingerprint: hash("1") },
  prompt: "zora, smiling",
  negative_prompt: "blurry",
  loras: [{ name: "Zora", weight: 0.85, sha256: hash("4"), model_version_id: "a" }],
  seed: "18446744073709551615",
  n_steps: 9,
  guidance: 7.5,
  width: 832,
  height: 1216,
  sampler: "euler_a",
};

const drawn = (change: object) => pngOf(latinChunk("morpheus", JSON.stringify({ ...record, ...change })));

test("our own pictures restore every setting", async () => {
  const { change, missing } = await settingsOf(drawn({ prompt: "zora" }), library);
  expect(change).toEqual({
    base_model: "tiny-xl",
    prompt: "zora",
    negative_prompt: "blurry",
    literal: false,
    loras: [{ id: "a", weight: 0.85 }],
    seed: "18446744073709551615",
    locked: true,
    n_steps: 9,
    guidance: 7.5,
    side: { width: 832, height: 1216 },
    sampler: "euler_a",
  });
  expect(missing).toEqual([]);
});

test("a seed that was written as a number is read as one", async () => {
  expect((await settingsOf(drawn({ seed: 7 }), library)).change.seed).toBe("7");
});

test("LoRAs are found by hash, then by name, and what is not here is said", async () => {
  const loras = [
    { name: "renamed", weight: 1, sha256: hash("5") },
    { name: "Zora", weight: 0.5, sha256: hash("9") },
    { name: "Old", weight: 1, sha256: hash("7") },
    { name: "gone", weight: 1, sha256: hash("8") },
  ];
  const { change, missing } = await settingsOf(drawn({ loras }), library);
  expect(change.loras).toEqual([{ id: "b", weight: 1 }]);
  expect(missing).toEqual(["LoRA `Old` is retired.", "LoRA `gone` is not in the library."]);
  const namesake = await settingsOf(drawn({ loras: [loras[1]] }), library);
  expect(namesake.change.loras).toEqual([{ id: "b", weight: 0.5 }]);
  expect(namesake.missing).toEqual(["LoRA `Zora` is another file of that name: the picture will differ."]);
});

test("a base model that is not here leaves the chosen one, and its LoRAs out", async () => {
  const { change, missing } = await settingsOf(drawn({ base: { name: "other.safetensors" } }), library);
  expect(change).toMatchObject({ base_model: "sdxl", loras: [] });
  expect(missing).toEqual([
    "Base model `other.safetensors` is not on this server.",
    "LoRA `Zora` was trained on another base model, `tiny-xl`.",
  ]);
});

test("A1111's pictures restore what is known here, and the rest is listed", async () => {
  const parameters =
    "zora <lora:renamed:0.7> — ゾラ\nNegative prompt: ugly\nSteps: 9, Sampler: Euler a, CFG scale: 7, Seed: 5, " +
    'Size: 832x1216, Model: tiny-xl, Clip skip: 2, Lora hashes: "renamed: 666666666666", Version: v1.10.1';
  const { change, missing } = await settingsOf(pngOf(utf8Chunk("parameters", parameters)), library);
  expect(change).toMatchObject({
    base_model: "tiny-xl",
    prompt: "zora  — ゾラ",
    negative_prompt: "ugly",
    loras: [{ id: "b", weight: 0.7 }],
    seed: "5",
    sampler: "euler_a",
    side: { width: 832, height: 1216 },
  });
  expect(missing).toEqual(["`Clip skip: 2`: there is no such setting here."]);
});

test("values that no picture can have are left out and said", async () => {
  const damaged = drawn({
    seed: -1,
    n_steps: 1e9,
    guidance: "much",
    width: 833,
    sampler: "none",
    loras: "x",
  });
  const { change, missing } = await settingsOf(damaged, library);
  expect(change).toMatchObject({ prompt: "zora, smiling", loras: [], side: null });
  for (const field of ["seed", "n_steps", "guidance", "sampler"]) expect(change).not.toHaveProperty(field);
  expect(missing).toHaveLength(5);
});

test.each([
  [latinChunk("morpheus", "{"), "Its record is damaged."],
  [latinChunk("morpheus", '{"version":2}'), "It was drawn by a newer version of Morpheus."],
  [latinChunk("workflow", "{}"), "It carries nodes of ComfyUI, which are not read."],
  [latinChunk("Software", "GIMP"), "It carries no settings"],
])("a picture without settings says why", async (text, message) => {
  await expect(settingsOf(pngOf(text), library)).rejects.toThrow(message);
});
