import { expect, test } from "vitest";
import type { BaseModel, Imported, Model, ModelVersion } from "~/api/types";
import { startsOf } from "./start-from";

const BASES = [
  { name: "tiny-xl", class: "tiny" },
  { name: "noob", class: "sdxl" },
  { name: "pony", class: "sdxl" },
] as BaseModel[];

const IMPORTED = { base_class: "sdxl" } as Imported;

function model(...versions: Partial<ModelVersion>[]): Model {
  const whole = versions.map((version) => ({ stage: "draft", base_model: "tiny-xl", ...version }));
  return { id: "m", name: "Zora", created_at: "", versions: whole as ModelVersion[] };
}

function offered(base: string, ...versions: Partial<ModelVersion>[]): string[] {
  const chosen = BASES.find(({ name }) => name === base);
  return startsOf([model(...versions)], chosen, BASES).map(({ id }) => id);
}

test("a training goes on from what was trained on base models of its size", () => {
  const versions = [
    { id: "small" },
    { id: "same", base_model: "noob" },
    { id: "other", base_model: "pony" },
    { id: "imported", base_model: "gone", imported: IMPORTED },
  ];
  expect(offered("noob", ...versions)).toEqual(["same", "other", "imported"]);
  expect(offered("tiny-xl", ...versions)).toEqual(["small"]);
  expect(offered("none yet", ...versions)).toHaveLength(4);
});

test("what is retired or damaged is not offered, and one whose base model is gone is", () => {
  const versions = [
    { id: "retired", stage: "retired" },
    { id: "damaged", damage: "missing" },
    { id: "gone", base_model: "gone" },
  ] as const;
  expect(offered("tiny-xl", ...versions)).toEqual(["gone"]);
});
