import { expect, test } from "vitest";
import {
  ADVANCED,
  BASICS,
  PARAMETERS,
  parameterError,
  priorityError,
  range,
  toRequest,
  type Values,
} from "./form";

const values: Values = {
  dataset_id: "d",
  base_model: "tiny-xl",
  preset: "character",
  engine: "kohya",
  name: " Zora ",
  trigger_word: " ",
  priority: "-3",
  sample_prompts: "one\n\n two \n",
  parameters: { rank: "8", learning_rate: "1e-4", lr_schedule: "constant" },
};

test("every parameter of the API is on the form, once", () => {
  expect([...BASICS, ...ADVANCED].toSorted()).toEqual(Object.keys(PARAMETERS).toSorted());
});

test.each([
  ["rank", "0", "must be at least 1"],
  ["rank", "257", "must be at most 256"],
  ["rank", "1.5", "must be a whole number"],
  ["learning_rate", "-1", "must be above 0"],
  ["learning_rate", "NaN", "must be a number"],
  ["learning_rate", "", "must be a number"],
  ["resolution", "100", "must be a multiple of 8"],
] as const)("%s of %j %s", (name, text, error) => {
  expect(parameterError(name, text)).toBe(error);
});

test.each([
  ["11", "must be at most 10"],
  ["-11", "must be at least -10"],
  ["0.5", "must be a whole number"],
  ["", "must be a number"],
  ["10", undefined],
])("a priority of %j %s", (text, error) => {
  expect(priorityError(text)).toBe(error);
});

test("takes numbers as people write them", () => {
  expect(parameterError("learning_rate", "1e-4")).toBeUndefined();
  expect(parameterError("rank", " 16 ")).toBeUndefined();
});

test("says the range that the server documents", () => {
  expect(range("rank")).toBe("1 to 256");
  expect(range("learning_rate")).toBe("above 0 up to 1");
  expect(range("resolution")).toBe("64 to 2,048, in steps of 8");
});

test("sends what differs from the preset, trimmed and typed", () => {
  expect(toRequest(values)).toEqual({
    dataset_id: "d",
    base_model: "tiny-xl",
    preset: "character",
    engine: "kohya",
    name: "Zora",
    trigger_word: null,
    provider: "local",
    priority: -3,
    parameters: { rank: 8, learning_rate: 1e-4, lr_schedule: "constant" },
    sample_prompts: ["one", "two"],
  });
});

test("makes no request while something is missing or wrong", () => {
  expect(toRequest({ ...values, dataset_id: "" })).toBeNull();
  expect(toRequest({ ...values, parameters: { rank: "0" } })).toBeNull();
  expect(toRequest({ ...values, priority: "11" })).toBeNull();
});
