import { expect, test } from "vitest";
import type { LoraEdit, ModelVersion } from "~/api/types";
import { aRegisteredBase } from "~/testing";
import {
  BLOCKS,
  baseNameOf,
  baseRequest,
  basesOf,
  convertRequest,
  editsOf,
  inWords,
  mergeRequest,
  newMerge,
  newResize,
  newWeigh,
  resizeRequest,
  weighRequest,
} from "./form";

const parts = [
  { id: "a", weight: 1 },
  { id: "b", weight: 0.5 },
];
const loras = [
  { model_version_id: "a", weight: 1 },
  { model_version_id: "b", weight: 0.5 },
];

test("a merge sends what its method uses, and no more", () => {
  const merge = { ...newMerge("a"), parts };
  expect(mergeRequest(merge)).toEqual({ kind: "merge", loras, method: "concatenate" });
  expect(mergeRequest({ ...merge, method: "svd", rank: " 8", name: " both " })).toEqual({
    kind: "merge",
    loras,
    method: "svd",
    rank: 8,
    name: "both",
  });
  expect(mergeRequest({ ...merge, into: "tiny-xl", method: "svd", name: "x" })).toEqual({
    kind: "merge_into",
    loras,
    base_model: "tiny-xl",
  });
});

test("of NP-LoRA the style comes first", () => {
  const merge = { ...newMerge("a"), parts, method: "np_lora" as const, style: "b" };
  const soft = mergeRequest(merge);
  expect(soft.loras?.map(({ model_version_id }) => model_version_id)).toEqual(["b", "a"]);
  expect(soft).toMatchObject({ strength: 0.5 });
  const hard = mergeRequest({ ...merge, hard: true });
  expect(hard).toMatchObject({ hard: true });
  expect(hard).not.toHaveProperty("strength");
});

test("a resize sends a rank, a share, or both", () => {
  const one = [{ model_version_id: "a", weight: 1 }];
  expect(resizeRequest("a", newResize())).toEqual({ kind: "resize", loras: one, rank: 16 });
  const shared = { ...newResize(), rank: "", keep_by: "frobenius" as const, keep: "0,9" };
  expect(resizeRequest("a", shared)).toEqual({
    kind: "resize",
    loras: one,
    keep_by: "frobenius",
    keep: 0.9,
  });
});

test("block weights are a preset or a number for each block", () => {
  expect(weighRequest("a", newWeigh()).blocks).toBe("style");
  const weights = BLOCKS.map(([block]) => (block === "MID" ? 0.5 : 1));
  const own = weighRequest("a", { ...newWeigh(), preset: "own", weights }).blocks;
  expect(own).toContain("BASE=1,IN04=1");
  expect(own).toContain("MID=0.5");
  expect(own?.split(",")).toHaveLength(12);
});

test("a merged base model is registered under a name that it may have, and found by its edit", () => {
  expect(baseNameOf("Zora & ink.safetensors")).toBe("Zora-ink");
  expect(baseNameOf("tiny-xl-ink.zip")).toBe("tiny-xl-ink");
  expect(baseNameOf(`${"a".repeat(90)}.safetensors`)).toHaveLength(80);
  const request = baseRequest("e", " mine ");
  expect(request).toEqual({ name: "mine", source: "edit:e" });
  const edit: LoraEdit = {
    id: "e",
    phase: "succeeded",
    request: mergeRequest({ ...newMerge("a"), into: "tiny-xl" }),
    created_at: "2026-01-02T03:00:00Z",
  };
  const bases = [aRegisteredBase({ source: "edit:other" }), aRegisteredBase(request)];
  expect(basesOf(bases, edit).map(({ name }) => name)).toEqual(["mine"]);
});

test("edits are said in a few words, and found by what they are made of", () => {
  const edit = (request: LoraEdit["request"]): LoraEdit => ({
    id: "e",
    phase: "queued",
    request,
    created_at: "2026-01-02T03:00:00Z",
  });
  const convert = edit(convertRequest("a", "peft"));
  const merge = edit(mergeRequest({ ...newMerge("a"), parts, method: "np_lora" }));
  expect([convert, merge].map(inWords)).toEqual(["For PEFT", "Merge of 2 LoRAs by NP-LoRA"]);
  const version = { id: "b" } as ModelVersion;
  expect(editsOf([convert, merge], version)).toEqual([merge]);
});
