// Smoothing of a noisy curve.

/**
 * Exponential moving average with the start's bias removed, as TensorBoard draws it: the average of the first
 * n values is never pulled towards zero.
 *
 * `weight` runs from 0 (no smoothing) to below 1. Values that are not finite are left out of the average.
 */
export function smooth(values: ArrayLike<number>, weight: number): Float64Array {
  const out = new Float64Array(values.length);
  let average = 0;
  let n = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? Number.NaN;
    if (Number.isFinite(value)) {
      average = average * weight + (1 - weight) * value;
      n += 1;
    }
    out[i] = n === 0 ? Number.NaN : average / (weight === 0 ? 1 : 1 - weight ** n);
  }
  return out;
}

/** Which way the last part of a curve goes. */
export function trend(values: ArrayLike<number>): "falling" | "rising" | "level" {
  const n = values.length;
  if (n < 8) return "level";
  const quarter = Math.floor(n / 4);
  const before = mean(values, n - 2 * quarter, n - quarter);
  const after = mean(values, n - quarter, n);
  if (Math.abs(after - before) < 0.02 * Math.abs(before)) return "level";
  return after < before ? "falling" : "rising";
}

function mean(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i] ?? 0;
  return sum / Math.max(1, to - from);
}
