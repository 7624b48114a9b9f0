import { expect, test } from "vitest";
import {
  formatAgo,
  formatBytes,
  formatClock,
  formatDuration,
  formatLoss,
  formatName,
  formatParameter,
  formatPlural,
  formatSentence,
} from "./format";

test.each([
  [0, "0 s"],
  [59.4, "59 s"],
  [59.6, "1 min 00 s"],
  [200, "3 min 20 s"],
  [3600, "1 h 00 min"],
  [7500, "2 h 05 min"],
  [100_000, "1 d 3 h"],
  [-5, "0 s"],
])("a duration of %d seconds is %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1834221, "1.8 MB"],
  [250_000_000, "250 MB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0.11234, "0.1123"],
  [0, "0.0000"],
  [0.00012, "1.20e-4"],
  [1234.5, "1234.5"],
  [Number.NaN, "NaN"],
])("a loss of %d is %s", (loss, text) => {
  expect(formatLoss(loss)).toBe(text);
});

test.each([
  [1e-4, "1e-4"],
  [2.5e-5, "2.5e-5"],
  [0.05, "0.05"],
  [16, "16"],
  ["cosine", "cosine"],
])("the parameter %s is written %s", (value, text) => {
  expect(formatParameter(value)).toBe(text);
});

test.each([
  ["n_warmup_steps", "Warmup steps"],
  ["lr_schedule", "LR schedule"],
  ["min_snr_gamma", "Min SNR gamma"],
  ["euler_a", "Euler A"],
  ["dpmpp2m", "DPM++ 2M"],
])("%s is labeled %s", (name, label) => {
  expect(formatName(name)).toBe(label);
});

test("a time of another day carries the day", () => {
  const now = new Date(2026, 0, 2, 23, 50);
  expect(formatClock(new Date(2026, 0, 2, 23, 59), now)).toBe("23:59");
  expect(formatClock(new Date(2026, 0, 3, 0, 9), now)).toBe("3 Jan, 00:09");
});

test("ages and plurals", () => {
  expect(formatAgo("2026-01-02T03:00:00Z", Date.parse("2026-01-02T03:05:10Z"))).toBe("5 minutes ago");
  expect(formatAgo("2026-01-02T03:00:00Z", Date.parse("2026-01-02T03:00:10Z"))).toBe("just now");
  expect(formatPlural(1, "picture")).toBe("1 picture");
  expect(formatPlural(1200, "picture")).toBe("1,200 pictures");
});

test("what the server says in passing becomes a sentence", () => {
  expect(formatSentence("the agent was lost")).toBe("The agent was lost.");
  expect(formatSentence("Really?")).toBe("Really?");
  expect(formatSentence("it said:")).toBe("It said:");
  expect(formatSentence("sd-scripts ended with exit code 1")).toBe("sd-scripts ended with exit code 1.");
});
