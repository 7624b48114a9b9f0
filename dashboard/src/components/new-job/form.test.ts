import { expect, test } from "vitest";
import type { Parameters } from "~/api/types";
import { aJob } from "~/testing";
import { answered, epochsError, lengthOf, priorityError, toRequest, type Values, wrongFields } from "./form";
import { toFix } from "./missing";
import { BASICS, GROUPS, LENGTH, lack, PARAMETERS, parameterError, range } from "./parameters";

const values: Values = {
  dataset_id: "d",
  base_model: "tiny-xl",
  preset: "character",
  family: "",
  engine: "kohya",
  name: " Zora ",
  trigger_word: " ",
  priority: "-3",
  sample_prompts: "one\n\n two \n",
  start_from: "",
  n_epochs: "",
  parameters: {
    rank: "8",
    learning_rate: "1e-4",
    lr_schedule: "constant",
    shuffle_tags: "true",
    trained_blocks: "IN04, MID",
  },
  answers: {},
};
const preset: Parameters = { ...aJob().recipe.parameters, n_views: 1600, n_steps: 400, batch_size: 4 };

test("every parameter of the API that an engine has is on the form, once", () => {
  const shown = [...BASICS, ...LENGTH, ...GROUPS.flatMap(({ fields }) => fields)];
  const known = Object.entries(PARAMETERS).filter(([, { engines }]) => engines?.length !== 0);
  expect(shown.toSorted()).toEqual(known.map(([name]) => name).toSorted());
});

test("fields whose text is wrong are named in the form's order", () => {
  expect(wrongFields(values)).toEqual([]);
  const wrong = { ...values, n_epochs: "0", priority: "x", parameters: { n_warmup_steps: "-1", rank: "0" } };
  expect(wrongFields(wrong)).toEqual(["Epochs", "Rank", "Warmup steps", "Priority"]);
  expect(toFix(wrongFields({ ...values, parameters: { rank: "many" } }))).toBe("Fix 1 field: Rank");
  expect(toFix(["Epochs", "Rank"])).toBe("Fix 2 fields: Epochs, Rank");
});

test("what most people change comes first, and the rest has names", () => {
  expect([...BASICS].toSorted()).toEqual(["batch_size", "learning_rate", "rank", "resolution"]);
  expect(GROUPS.map(({ title }) => title)).toContain("Text encoders");
});

test("every field says why its default is what it is, and when to change it", () => {
  for (const [name, { why, when }] of Object.entries(PARAMETERS)) {
    expect(why, name).toMatch(/\.$/);
    expect(when, name).toMatch(/\.$/);
  }
});

// The server checks the same numbers: `the_ranges_of_the_document_are_the_ones_that_are_checked` in crates/protocol.
const NUMBERS = Object.entries(PARAMETERS).filter(([, { type }]) => type === "integer" || type === "number");
test.each(NUMBERS)(
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

test("texts and lists end where the document says", () => {
  const { maxLength = 0 } = PARAMETERS.caption_prefix;
  expect(parameterError("caption_prefix", "a".repeat(maxLength))).toBeUndefined();
  expect(parameterError("caption_prefix", "a".repeat(maxLength + 1))).toBe(
    `Enter at most ${maxLength} characters.`,
  );
  const { maxItems = 0 } = PARAMETERS.trained_blocks;
  expect(parameterError("trained_blocks", "MID,".repeat(maxItems))).toBeUndefined();
  expect(parameterError("trained_blocks", "MID,".repeat(maxItems + 1))).toBe(
    `Enter at most ${maxItems}, with commas between them.`,
  );
});

test("one length follows from another", () => {
  expect(lengthOf({}, preset)).toEqual({ n_views: 1600, n_steps: 400 });
  expect(lengthOf({ batch_size: "3", gradient_accumulation: "2" }, preset)).toEqual({
    n_views: 1600,
    n_steps: 267,
  });
  expect(lengthOf({ n_steps: "100" }, preset)).toEqual({ n_views: 400, n_steps: 100 });
  expect(lengthOf({ n_views: "1001" }, preset)).toEqual({ n_views: 1001, n_steps: 251 });
  expect(lengthOf({ batch_size: "many" }, preset)).toEqual({ n_views: 1600, n_steps: null });
  expect(lengthOf({}, { ...preset, n_views: 0 })).toEqual({ n_views: null, n_steps: 400 });
});

test.each([
  ["", undefined],
  ["10", undefined],
  ["0", "Enter at least 1."],
  ["1.5", "Enter a whole number."],
])("a length of %j epochs %s", (text, error) => {
  expect(epochsError(text)).toBe(error);
});

test("an answer changes what differs from the preset, and takes back what another changed", () => {
  const question = {
    text: "What are your captions?",
    why: "It matters.",
    answers: [
      { text: "Tags", parameters: { shuffle_tags: true, max_tokens: 225 } },
      { text: "Sentences", parameters: { shuffle_tags: false, max_tokens: 75 } },
    ],
  };
  const tagged = { ...preset, shuffle_tags: true, max_tokens: 225 };
  const sentences = answered({ rank: "8" }, question, 1, tagged);
  expect(sentences).toEqual({ rank: "8", shuffle_tags: "false", max_tokens: "75" });
  expect(answered(sentences, question, 0, tagged)).toEqual({ rank: "8" });
});

test("what an engine lacks is said with the engine that has it", () => {
  expect(lack("rank", "native")).toBeUndefined();
  for (const [name, { engines = ["native", "kohya"] }] of Object.entries(PARAMETERS)) {
    for (const engine of ["native", "kohya"] as const) {
      const found = lack(name as keyof typeof PARAMETERS, engine);
      expect(found === undefined, `${name} ${engine}`).toBe(engines.includes(engine));
    }
  }
});

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
    parameters: {
      rank: 8,
      learning_rate: 1e-4,
      lr_schedule: "constant",
      shuffle_tags: true,
      trained_blocks: ["IN04", "MID"],
    },
    sample_prompts: ["one", "two"],
  });
});

test("makes no request while something is missing or wrong", () => {
  expect(toRequest({ ...values, dataset_id: "" })).toBeNull();
  expect(toRequest({ ...values, parameters: { rank: "0" } })).toBeNull();
  expect(toRequest({ ...values, priority: "11" })).toBeNull();
  expect(toRequest({ ...values, n_epochs: "0" })).toBeNull();
});

test("sends a length in epochs, a family and a LoRA to start from only when they were chosen", () => {
  for (const name of ["n_epochs", "family", "start_from"]) {
    expect(toRequest(values)).not.toHaveProperty(name);
  }
  const chosen = { n_epochs: 10, family: "pony", start_from: "v" } as const;
  expect(toRequest({ ...values, ...chosen, n_epochs: "10" })).toMatchObject(chosen);
});
