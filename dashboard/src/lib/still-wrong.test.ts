import { expect, test } from "vitest";
import { stillWrong } from "./still-wrong";

const sent = {
  prompt: "zora <lora:zorra>",
  base_model: "tiny-xl",
  loras: [{ weight: 5 }, { weight: 1 }],
  sample_prompts: ["zora", { prompt: "zora" }],
  parameters: { rank: 8, learning_rate: 1 },
};
const errors = {
  prompt: "names `zorra`",
  "loras[0].weight": "is too large",
  "sample_prompts[0].prompt": "is too long",
  "parameters.rank": "is too large",
};

test.each([
  ["nothing", {}, []],
  ["another field", { parameters: { rank: 8, learning_rate: 2 } }, []],
  ["a text", { prompt: "zora" }, ["prompt"]],
  ["one of a list", { loras: [{ weight: 2 }, { weight: 1 }] }, ["loras[0].weight"]],
  ["another of a list", { loras: [{ weight: 5 }, { weight: 2 }] }, []],
  ["all of a list", { loras: [] }, ["loras[0].weight"]],
  ["a text with fields", { sample_prompts: ["ink", { prompt: "zora" }] }, ["sample_prompts[0].prompt"]],
  ["a parameter that goes back to the preset", { parameters: {} }, ["parameters.rank"]],
  ["what it depends on", { base_model: "noob" }, ["prompt"]],
])("a change of %s clears what was wrong there, and nothing else", (_, change, cleared) => {
  const left = stillWrong(errors, sent, { ...sent, ...change }, { prompt: ["base_model"] });
  expect(Object.keys(errors).filter((path) => !(path in left))).toEqual(cleared);
});

test("while there is no request, everything is as it was said", () => {
  expect(stillWrong(errors, undefined, sent)).toBe(errors);
  expect(stillWrong(errors, sent, null)).toBe(errors);
});
