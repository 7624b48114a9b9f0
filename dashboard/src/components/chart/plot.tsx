// uPlot in one wrapper: made again when its look changes, redrawn at most once per frame.
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { useAppliedTheme } from "~/lib/theme";
import type { StepCursor } from "~/live/cursor";
import { drawMarks, pointerTo, watchCursor } from "./marks";

export const HEIGHT = 320;

interface Props {
  /** The look, for a width in pixels; colors are read when it is called. Another function makes the chart anew. */
  options: (width: number) => uPlot.Options;
  /** What is drawn now. */
  data: () => uPlot.AlignedData;
  /** Calls back when `data` has changed; answers how to stop that. */
  subscribe: (changed: () => void) => () => void;
  /** What the chart shows, in a sentence. */
  description: string;
  /** Steps with rows beside the chart, and which of them is looked at. */
  cursor?: StepCursor;
  /** A step of the curve was clicked. */
  onPick?: (step: number) => void;
}

export function Plot({ options, data, subscribe, description, cursor, onPick }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const theme = useAppliedTheme();
  const picked = useRef(onPick);
  picked.current = onPick;

  // biome-ignore lint/correctness/useExhaustiveDependencies: colors are read again when the theme changes
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const given = options(element.clientWidth);
    if (cursor) {
      given.hooks = { draw: [(drawn) => drawMarks(drawn, cursor)], setCursor: [pointerTo(cursor)] };
    }
    const empty = given.series.map(() => []) as unknown as uPlot.AlignedData;
    const plot = new uPlot(given, empty, element);
    let frame = 0;
    const draw = () => {
      frame = 0;
      plot.setData(data());
      // Without a cursor on the curve, the legend tells where it stands.
      if ((plot.cursor.left ?? -1) < 0) plot.setLegend({ idx: plot.data[0].length - 1 });
    };
    const schedule = () => {
      frame ||= requestAnimationFrame(draw);
    };
    // uPlot finishes its set-up, and clears the legend, only after this function has returned.
    schedule();
    const unsubscribe = subscribe(schedule);
    const unfollow = cursor && watchCursor(plot, cursor, (step) => picked.current?.(step));
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      cancelAnimationFrame(frame);
      unsubscribe();
      unfollow?.();
      resized.disconnect();
      plot.destroy();
    };
  }, [options, data, subscribe, cursor, theme]);

  return (
    <div ref={host} role="img" aria-label={description} className="min-w-0" style={{ minHeight: HEIGHT }} />
  );
}

/** A color of the theme that is shown. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

interface Look {
  width: number;
  log: boolean;
  series: uPlot.Series[];
  x?: (value: number) => string;
}

/** What all loss charts have in common. */
export function lossOptions({ width, log, series, x = count }: Look): uPlot.Options {
  const axis: uPlot.Axis = {
    font: `11px ${getComputedStyle(document.body).fontFamily}`,
    stroke: color("--muted"),
    grid: { stroke: color("--chart-grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    padding: [12, 12, 0, 0],
    // The legend says what stands at the cursor, not what stands near it.
    cursor: { points: { size: 7 }, drag: { x: true, y: false }, dataIdx: (_plot, _series, index) => index },
    legend: { live: true, markers: { width: 2 } },
    scales: { x: { time: false }, y: { distr: log ? 3 : 1 } },
    axes: [
      { ...axis, size: 30, values: (_, ticks) => ticks.map(x) },
      {
        ...axis,
        size: 56,
        values: (_, ticks) =>
          ticks.map((tick) => (tick === null ? "" : Number(tick.toPrecision(6)).toString())),
      },
    ],
    series,
  };
}

function count(tick: number): string {
  return Number.isInteger(tick) ? tick.toLocaleString("en-US") : "";
}
