import { expect, test } from "vitest";
import type { OwnPreset } from "~/api/types";
import { presetFile, readPresetFile } from "./preset-file";

const PRESET: OwnPreset = {
  id: "01900000-0000-7000-8000-000000000009",
  name: "Zora",
  preset: "style",
  family: "pony",
  parameters: { rank: 8, trained_blocks: ["MID"] },
  created_at: "2026-11-30T00:00:00Z",
};

test("a preset comes out of its file as it went in", () => {
  expect(readPresetFile(presetFile(PRESET))).toEqual({
    name: "Zora",
    preset: "style",
    family: "pony",
    parameters: { rank: 8, trained_blocks: ["MID"] },
  });
});

test.each(["{}", "[]", "null", '{"kind": "else"}'])("%s is not taken for a preset", (text) => {
  expect(() => readPresetFile(text)).toThrow('It lacks "kind"');
});
