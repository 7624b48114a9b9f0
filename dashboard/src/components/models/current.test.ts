import { expect, test } from "vitest";
import type { ModelVersion, Stage } from "~/api/types";
import { currentOf } from "./current";

const of = (...stages: Stage[]) =>
  currentOf({ versions: stages.map((stage, i) => ({ version: i + 1, stage }) as ModelVersion) })?.version;

test("of two approved versions the newer is current, and a draft never stands before an approved one", () => {
  expect(of("approved", "approved", "draft")).toBe(2);
  expect(of("retired", "draft", "retired")).toBe(2);
  expect(of("retired", "retired")).toBe(2);
  expect(of()).toBeUndefined();
});
