import { expect, test } from "vitest";
import {
  formatUsd,
  formatUsdColumn,
  formatUsdRange,
  formatUsdUp,
  parseUsd,
  typedUsd,
  usdError,
} from "./money";

test.each([
  ["5", 5_000_000],
  ["2.5", 2_500_000],
  ["2.50", 2_500_000],
  [" $1,234.567891 ", 1_234_567_891],
  ["0.000001", 1],
  [".29", 290_000],
  ["7.", 7_000_000],
  // A float would make 1,009,999 and 4,349,999 of these.
  ["1.01", 1_010_000],
  ["4.35", 4_350_000],
  ["9007199254.740991", Number.MAX_SAFE_INTEGER],
])("%j is %d micro-dollars", (text, micro) => {
  expect(parseUsd(text)).toBe(micro);
});

test.each([
  "",
  " ",
  "$",
  ".",
  "-1",
  "1e3",
  "1,5",
  "12,34.0",
  "one",
  "0.0000001",
  "1.2.3",
  "9007199254.740992",
])("%j is no amount", (text) => {
  expect(parseUsd(text)).toBeNull();
});

test("what is typed comes back as it is written", () => {
  for (const micro of [1, 10, 99, 125, 10_000, 290_000, 1_000_000, 12_340_000, 1_234_567_891]) {
    expect(parseUsd(typedUsd(micro))).toBe(micro);
  }
});

test.each([
  ["0", 464_000, "Enter at least $0.464."],
  ["-3", 464_000, "Enter at least $0.464."],
  ["0.46", 464_000, "Enter at least $0.464."],
  ["0.464", 464_000, undefined],
  ["0", undefined, "Enter an amount above 0."],
  ["$-1", undefined, "Enter an amount above 0."],
  ["0.0000001", undefined, "Enter at most 6 decimals."],
  ["", undefined, "Enter an amount in dollars, such as 2.50."],
  ["1.5 $", undefined, "Enter an amount in dollars, such as 2.50."],
  ["0.000001", undefined, undefined],
])("%j with at least %j: %j", (text, least, error) => {
  expect(usdError(text, least)).toBe(error);
});

test.each([
  [0, "$0.00"],
  [12_340_000, "$12.34"],
  [500_000, "$0.50"],
  [464_000, "$0.464"],
  [125, "$0.000125"],
  [1_234_567_890_000, "$1,234,567.89"],
  [-2_500_000, "−$2.50"],
])("%d micro-dollars are %s", (micro, text) => {
  expect(formatUsd(micro)).toBe(text);
});

test.each([
  [0, "$0.00"],
  [642_741, "$0.65"],
  [640_000, "$0.64"],
  [10_001, "$0.02"],
  [9_990, "$0.01"],
  [1_234, "$0.0013"],
  [7, "$0.000007"],
])("%d micro-dollars are told as %s", (micro, text) => {
  expect(formatUsdUp(micro)).toBe(text);
});

test("a range says its dollar once, and one amount where it is none", () => {
  expect(formatUsdRange(310_000, 419_999)).toBe("$0.31–0.42");
  expect(formatUsdRange(305_000, 309_000)).toBe("$0.31");
  expect(formatUsdRange(8_100, 110_000)).toBe("$0.01–0.11");
  expect(formatUsdRange(810, 1_100)).toBe("$0.0009–0.0011");
});

test.each([
  [0, "$0.000000"],
  [50_880, "$0.050880"],
  [1_234_567_891, "$1,234.567891"],
  [-12_340_000, "−$12.340000"],
])("%d in a column is %s", (micro, text) => {
  expect(formatUsdColumn(micro)).toBe(text);
});
