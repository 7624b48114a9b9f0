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

test("what most people change comes first", () => {
  expect(BASICS).toEqual(["n_steps", "learning_rate", "rank", "batch_size", "resolution"]);
});

// The server checks the same numbers: `the_ranges_of_the_document_are_the_ones_that_are_checked` in crates/protocol.
test.each(Object.entries(PARAMETERS).filter(([, schema]) => schema.type !== "string"))(
  "%s ends where the document says",
  (name, { type, minimum, maximum = Number.NaN, exclusiveMinimum, multipleOf }) => {
    const error = (value: number) => parameterError(name as keyof typeof PARAMETERS, String(value));
    const near = multipleOf ?? (type === "integer" ? 1 : 1e-9);
    expect(error(maximum)).toBeUndefined();
    expect(error(maximum + near)).toBe(`Enter at most ${maximum}.`);
    if (exclusiveMinimum === undefined) {
      expect(error(minimum ?? Number.NaN)).toBeUndefined();
      expect(error((minimum ?? 0) - near)).toBe(`Enter at least ${minimum}.`);
    } else {
      expect(error(exclusiveMinimum)).toBe(`Enter a number above ${exclusiveMinimum}.`);
      expect(error(exclusiveMinimum + near)).toBeUndefined();
    }
  },
);

test.each([
  ["rank", "0", "Enter at least 1."],
  ["rank", "257", "Enter at most 256."],
  ["rank", "1.5", "Enter a whole number."],
  ["learning_rate", "-1", "Enter a number above 0."],
  ["learning_rate", "NaN", "Enter a number."],
  ["learning_rate", "", "Enter a number."],
  ["resolution", "100", "Enter a multiple of 8."],
] as const)("%s of %j %s", (name, text, error) => {
  expect(parameterError(name, text)).toBe(error);
});

test.each([
  ["11", "Enter at most 10."],
  ["-11", "Enter at least -10."],
  ["0.5", "Enter a whole number."],
  ["", "Enter a number."],
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
