// The loss curve of one job, live.
import { useCallback } from "react";
import type uPlot from "uplot";
import { formatCount, formatLoss } from "~/lib/format";
import type { StepCursor } from "~/live/cursor";
import type { Series } from "~/live/series";
import { chartData } from "./data";
import { color, lossOptions, Plot } from "./plot";

export interface ChartView {
  /** From 0 to below 1. */
  smoothing: number;
  log: boolean;
}

interface Props extends ChartView {
  series: Series;
  /** What the chart shows, in a sentence. */
  description: string;
  cursor: StepCursor;
  onPick: (step: number) => void;
}

export function LossChart({ series, smoothing, log, description, cursor, onPick }: Props) {
  const options = useCallback((width: number) => look(width, log), [log]);
  const data = useCallback(() => chartData(series, smoothing), [series, smoothing]);
  const subscribe = useCallback((changed: () => void) => series.subscribe(changed), [series]);
  return (
    <Plot
      options={options}
      data={data}
      subscribe={subscribe}
      description={description}
      cursor={cursor}
      onPick={onPick}
    />
  );
}

function look(width: number, log: boolean): uPlot.Options {
  return lossOptions({
    width,
    log,
    x: (tick) => (Number.isInteger(tick) ? formatCount(tick) : ""),
    series: [
      { label: "Step", value: (_, value) => (value == null ? "–" : formatCount(value)) },
      {
        label: "Loss",
        stroke: color("--chart-raw"),
        width: 1,
        points: { show: false },
        spanGaps: true,
        value: figure,
      },
      {
        label: "Smoothed",
        stroke: color("--chart-line"),
        width: 2,
        points: { show: false },
        spanGaps: true,
        value: figure,
      },
      {
        label: "Validation",
        stroke: color("--chart-validation"),
        width: 1.5,
        dash: [4, 3],
        points: {
          show: true,
          size: 7,
          fill: color("--surface"),
          stroke: color("--chart-validation"),
          width: 2,
        },
        spanGaps: true,
        value: figure,
      },
    ],
  });
}

export function figure(_plot: uPlot, value: number | null): string {
  return value == null || Number.isNaN(value) ? "–" : formatLoss(value);
}
