import { expect, test } from "vitest";
import type { Evidence, Judgement, Stamp } from "~/api/types";
import { stripsOf } from "./evidence";

const evidence = (name: string, prompt: string, weight: number, nearest?: string): Evidence => ({
  name,
  shows: name,
  prompt,
  seed: 1,
  weight,
  ...(nearest && { nearest }),
});
const all = [
  evidence("caption-0-1-base", "zora", 0),
  evidence("caption-0-1", "zora", 1, "002.png"),
  evidence("plain-3-1", "a dog", 1),
  evidence("nearest", "zora, asleep", 1, "001.png"),
  evidence("weight-50", "zora", 0.5),
  evidence("again", "zora", 1),
];
const strips = (stamp: Stamp) =>
  stripsOf(
    { stamp, evidence: all } as Judgement,
    all.map(({ name }) => ({ name, url: `/${name}` })),
  );

test("pictures of a prompt and seed stand side by side by weight, each once", () => {
  expect(strips("good").map(({ shots }) => shots.map(({ url }) => url))).toEqual([
    ["/caption-0-1-base", "/weight-50", "/caption-0-1"],
    ["/plain-3-1"],
    ["/nearest"],
  ]);
});

test("what shows the stamp comes first, and a copy has its training picture beside it", () => {
  const told = (stamp: Stamp) => strips(stamp).map(({ prompt, nearest }) => [prompt, nearest]);
  expect(told("good")).toEqual([
    ["zora", null],
    ["a dog", null],
    ["zora, asleep", "001.png"],
  ]);
  expect(told("copies")).toEqual([
    ["zora", "002.png"],
    ["zora, asleep", "001.png"],
    ["a dog", null],
  ]);
  expect(told("bleeds")[0]).toEqual(["a dog", null]);
});
