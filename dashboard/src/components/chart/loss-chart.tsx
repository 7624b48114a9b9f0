// The loss curve: uPlot in one wrapper, fed with typed arrays, redrawn at most once per frame.
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { formatCount, formatLoss } from "~/lib/format";
import { useAppliedTheme } from "~/lib/theme";
import type { Series } from "~/live/series";
import { chartData } from "./data";

export interface ChartView {
  /** From 0 to below 1. */
  smoothing: number;
  log: boolean;
}

interface Props extends ChartView {
  series: Series;
  /** What the chart shows, in a sentence. */
  description: string;
}

const HEIGHT = 320;

export function LossChart({ series, smoothing, log, description }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const theme = useAppliedTheme();

  // biome-ignore lint/correctness/useExhaustiveDependencies: colors are read again when the theme changes
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const plot = new uPlot(options(element.clientWidth, log), [[], [], [], []], element);
    let frame = 0;
    const draw = () => {
      frame = 0;
      plot.setData(chartData(series, smoothing));
      // Without a cursor on the curve, the legend tells where it stands.
      if ((plot.cursor.left ?? -1) < 0) plot.setLegend({ idx: plot.data[0].length - 1 });
    };
    const schedule = () => {
      frame ||= requestAnimationFrame(draw);
    };
    // uPlot finishes its set-up, and clears the legend, only after this function has returned.
    schedule();
    const unsubscribe = series.subscribe(schedule);
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      cancelAnimationFrame(frame);
      unsubscribe();
      resized.disconnect();
      plot.destroy();
    };
  }, [series, smoothing, log, theme]);

  return (
    <div ref={host} role="img" aria-label={description} className="min-w-0" style={{ minHeight: HEIGHT }} />
  );
}

function options(width: number, log: boolean): uPlot.Options {
  const color = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis: uPlot.Axis = {
    font,
    stroke: color("--muted"),
    grid: { stroke: color("--chart-grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    padding: [12, 12, 0, 0],
    cursor: { points: { size: 7 }, drag: { x: true, y: false } },
    legend: { live: true, markers: { width: 2 } },
    scales: { x: { time: false }, y: { distr: log ? 3 : 1 } },
    axes: [
      {
        ...axis,
        size: 30,
        values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? formatCount(tick) : "")),
      },
      {
        ...axis,
        size: 56,
        values: (_, ticks) =>
          ticks.map((tick) => (tick === null ? "" : Number(tick.toPrecision(6)).toString())),
      },
    ],
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
  };
}

function figure(_plot: uPlot, value: number | null): string {
  return value == null || Number.isNaN(value) ? "–" : formatLoss(value);
}
