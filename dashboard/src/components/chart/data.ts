// What the loss chart draws, as uPlot takes it.
import uPlot from "uplot";
import type { Series } from "~/live/series";
import { smooth } from "~/live/smooth";

/** Steps, raw losses, smoothed losses, validation losses on the same steps. */
export function chartData(series: Pick<Series, "view" | "validation">, smoothing: number): uPlot.AlignedData {
  const { step, loss } = series.view();
  const smoothed = smooth(loss, smoothing);
  // With one NaN the axis would have no ends, and nothing would be drawn at all; null is what is not there.
  if (series.validation.length === 0) return [step, loss, smoothed, new Array<null>(step.length).fill(null)];
  const x = Float64Array.from(series.validation, ([at]) => at);
  const y = Float64Array.from(series.validation, ([, value]) => value);
  return uPlot.join([
    [step, loss, smoothed],
    [x, y],
  ] as uPlot.AlignedData[]);
}
