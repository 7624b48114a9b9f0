// Loss curves of several jobs over each other.
import { useCallback } from "react";
import { formatCount, formatDuration } from "~/lib/format";
import { type Axis, type Compared, compareData } from "./compare-data";
import { figure } from "./loss-chart";
import { color, lossOptions, Plot } from "./plot";

/** Colors and dashes of the curves, in the order of the jobs. */
export const STROKES = [
  { color: "--chart-line", dash: [] },
  { color: "--chart-validation", dash: [8, 3] },
  { color: "--chart-third", dash: [2, 3] },
  { color: "--chart-fourth", dash: [8, 3, 2, 3] },
] as const;

const NAMES: Record<Axis, string> = { step: "Step", epoch: "Epoch", time: "Time" };

interface Props {
  all: Compared[];
  labels: string[];
  axis: Axis;
  smoothing: number;
  log: boolean;
}

export function CompareChart({ all, labels, axis, smoothing, log }: Props) {
  const data = useCallback(() => compareData(all, axis, smoothing), [all, axis, smoothing]);
  const shown = JSON.stringify(labels);
  const options = useCallback(
    (width: number) =>
      lossOptions({
        width,
        log,
        x: (tick) => at(axis, tick),
        series: [
          { label: NAMES[axis], value: (_, value) => (value == null ? "–" : at(axis, value)) },
          ...(JSON.parse(shown) as string[]).map((label, i) => {
            const stroke = STROKES[i] ?? STROKES[0];
            return {
              label,
              stroke: color(stroke.color),
              width: 2,
              dash: [...stroke.dash],
              points: { show: false },
              spanGaps: true,
              value: figure,
            };
          }),
        ],
      }),
    [axis, log, shown],
  );
  return (
    <Plot
      options={options}
      data={data}
      subscribe={never}
      description={`Smoothed training losses of ${labels.join(", ")}, by ${axis}`}
    />
  );
}

/** The curves change only with their props. */
function never(): () => void {
  return () => undefined;
}

function at(axis: Axis, value: number): string {
  if (axis === "time") return formatDuration(value);
  if (axis === "epoch") return Number(value.toPrecision(3)).toString();
  return Number.isInteger(value) ? formatCount(value) : "";
}
