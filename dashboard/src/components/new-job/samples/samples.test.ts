import { expect, test } from "vitest";
import { linesError, newSample, readLine, settingsOf, toSample, toSamples } from "./samples";

test("a line is a prompt, or has sd-scripts' options", () => {
  expect(readLine("zora, smiling")).toEqual({ sample: "zora, smiling" });
  expect(readLine("zora -- and --cn nothing")).toEqual({ sample: "zora -- and --cn nothing" });
  const whole = "zora --n low quality, (bad:1.2) --w 833 --h 1216 --D 7 --l 7.5 --s 28 --ss euler_a";
  expect(readLine(whole)).toEqual({
    sample: {
      prompt: "zora",
      negative_prompt: "low quality, (bad:1.2)",
      width: 832,
      height: 1216,
      seed: "7",
      guidance: 7.5,
      n_steps: 28,
      sampler: "euler_a",
    },
  });
});

test.each([
  ["zora --w wide", "--w wide: Enter a number."],
  ["zora --w", "--w: Enter a number."],
  ["zora --s 151", "--s 151: Enter at most 150."],
  ["zora --d -5", "--d -5: Enter a whole number from 0 to 18446744073709551615, or -1 for a random seed."],
  ["zora --ss heun", "--ss heun: there is no such sampler here; there are Euler, Euler A, DDIM, DPM++ 2M."],
])("%s says what is wrong", (line, problem) => {
  expect(readLine(line).problem).toBe(problem);
  expect(linesError(`zora\n${line}`)).toBe(problem);
  expect(toSamples(line, [])).toBeNull();
});

test("what is not typed is not sent", () => {
  const plain = { ...newSample(), prompt: " zora " };
  expect(toSample(plain)).toEqual({ prompt: "zora" });
  expect(toSample({ ...plain, seed: "18446744073709551615", width: "64", lora_weight: "-0.5" })).toEqual({
    prompt: "zora",
    seed: "18446744073709551615",
    width: 64,
    lora_weight: -0.5,
  });
  expect(toSample(newSample())).toBeNull();
  expect(toSample({ ...plain, height: "100" })).toBeNull();
});

test("lines come first", () => {
  expect(toSamples("one\n\n two \n", [{ ...newSample(), prompt: "three" }])).toEqual([
    "one",
    "two",
    { prompt: "three" },
  ]);
});

test("settings in words", () => {
  expect(settingsOf("zora")).toBe("");
  expect(
    settingsOf({
      prompt: "zora",
      width: 832,
      height: 1216,
      seed: "7",
      lora_weight: 0.8,
      negative_prompt: "blurry",
    }),
  ).toBe("832 × 1216, seed 7, LoRA at 0.8, without “blurry”");
});
