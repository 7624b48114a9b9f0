// Money is whole micro-dollars, as the server counts it. What is typed is read digit by digit, never as a float.

const MICRO = 1_000_000;

/** The part of a limit from which the server warns. */
export const WARN_SHARE = 0.8;

/** Dollars as a person types them: `5`, `2.50`, `$0.000125`; null if the text is not an amount. */
export function parseUsd(text: string): number | null {
  const match = /^\s*\$?\s*(\d+|\d{1,3}(?:,\d{3})+)?(?:\.(\d{0,6}))?\s*$/.exec(text);
  const [, whole = "", decimals = ""] = match ?? [];
  if (whole === "" && decimals === "") return null;
  const micro = Number(`${whole.replaceAll(",", "")}${decimals.padEnd(6, "0")}`);
  return Number.isSafeInteger(micro) ? micro : null;
}

/** What is wrong with an amount as it was typed; `least` is the minimum. */
export function usdError(text: string, least = 1): string | undefined {
  if (/^\s*\$?\s*-/.test(text) || parseUsd(text) === 0)
    return least > 1 ? `Enter at least ${formatUsd(least)}.` : "Enter an amount above 0.";
  if (/\.\d{7,}\s*$/.test(text)) return "Enter at most 6 decimals.";
  const micro = parseUsd(text);
  if (micro === null) return "Enter an amount in dollars, such as 2.50.";
  return micro < least ? `Enter at least ${formatUsd(least)}.` : undefined;
}

/** Exact: `$12.34`, and up to 6 decimals where there are any: `$0.000125`. */
export function formatUsd(micro: number): string {
  return `${micro < 0 ? "−" : ""}$${typedUsd(Math.abs(micro))}`;
}

/** Exact, with all 6 decimals, so that a column of amounts has its points below each other: `$12.340000`. */
export function formatUsdColumn(micro: number): string {
  const [whole, decimals = ""] = formatUsd(micro).split(".");
  return `${whole}.${decimals.padEnd(6, "0")}`;
}

/** As a person would type it: `1,234.50`. */
export function typedUsd(micro: number): string {
  const whole = Math.floor(micro / MICRO).toLocaleString("en-US");
  const decimals = String(micro % MICRO).padStart(6, "0");
  return `${whole}.${decimals.replace(/0{1,4}$/, "")}`;
}

/** Rounded up to the next cent, or to two digits below one cent: for prices and forecasts. */
export function formatUsdUp(micro: number): string {
  return formatUsd(roundUp(micro));
}

/** `$0.31–0.42`; one amount where both round to the same. */
export function formatUsdRange(low: number, high: number): string {
  const unit = coarseness(high);
  const [from, to] = [roundUp(low, unit), roundUp(high, unit)];
  return from === to ? formatUsd(from) : `${formatUsd(from)}–${typedUsd(to)}`;
}

function roundUp(micro: number, unit = coarseness(micro)): number {
  return Math.ceil(micro / unit) * unit;
}

/** Cents, and two digits of what is less than one. */
function coarseness(micro: number): number {
  let unit = MICRO / 100;
  if (Math.abs(micro) >= unit) return unit;
  while (unit > 1 && Math.abs(micro) < unit * 10) unit /= 10;
  return unit;
}
