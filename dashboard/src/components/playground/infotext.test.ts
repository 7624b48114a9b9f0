import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readInfotext, type Settings } from "./infotext";

interface Case {
  about: string;
  text: string;
  settings: Settings;
}

// The server's own cases: both read a text alike.
const path = "../crates/protocol/src/made/a1111/cases.json";
const cases = JSON.parse(readFileSync(path, "utf8")) as Case[];

test.each(cases)("$about", ({ text, settings }) => {
  expect(readInfotext(text)).toEqual(settings);
});

test.each(["<", "<lora:a:9>", "Ab: 1, ", 'Ab: "', "\nNegative prompt:", "::,,"])(
  "many %j are read in time",
  (piece) => {
    const settings = readInfotext(piece.repeat(20_000));
    expect(settings.not_taken.length).toBeLessThanOrEqual(51);
    expect(settings.loras.length).toBeLessThanOrEqual(64);
  },
);
