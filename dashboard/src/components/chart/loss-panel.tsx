// The loss curve with its switches, its sentence, and the same numbers as a table.
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState, useSyncExternalStore } from "react";
import type { Job } from "~/api/types";
import { Panel } from "~/components/ui/panel";
import { Segmented } from "~/components/ui/segmented";
import { Slider } from "~/components/ui/slider";
import { formatCount, formatLoss } from "~/lib/format";
import type { StepCursor } from "~/live/cursor";
import { rateOf } from "~/live/rate";
import type { Series } from "~/live/series";
import { smooth, trend } from "~/live/smooth";
import { LossAxis, type LossScale } from "./loss-axis";
import { LossChart } from "./loss-chart";
import { StepScrubber } from "./step-scrubber";

export const DEFAULT_SMOOTHING = 0.9;

interface Props {
  series: Series;
  recipe: Job["recipe"];
  /** No step will come any more. */
  ended: boolean;
  cursor: StepCursor;
  /** A step was chosen on the curve. */
  onPick: (step: number) => void;
  className?: string;
}

export function LossPanel({ series, recipe, ended, cursor, onPick, className }: Props) {
  const {
    smoothing = DEFAULT_SMOOTHING,
    scale = "linear",
    chart = "curve",
  } = useSearch({ from: "/_app/jobs/$jobId" });
  const navigate = useNavigate({ from: "/jobs/$jobId" });
  const see = (view: { smoothing?: number; scale?: LossScale; chart?: "curve" | "table" }) =>
    void navigate({ search: (before) => ({ ...before, ...view }), replace: true, resetScroll: false });
  const empty = useIsEmpty(series);
  const description = useDescription(series);

  return (
    <Panel
      title="Loss"
      {...(className && { className })}
      aside={
        <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
          <div className="flex items-center gap-2 text-muted text-xs">
            Smoothing
            <Slider
              label="Smoothing"
              value={smoothing}
              onValueChange={(value) => see({ smoothing: value })}
              min={0}
              max={0.99}
              step={0.01}
              format={(value) => value.toFixed(2)}
              className="w-36"
            />
          </div>
          <LossAxis value={scale} onValueChange={(value) => see({ scale: value })} />
          <Segmented
            label="Show loss as"
            value={chart}
            onValueChange={(value) => see({ chart: value })}
            options={[
              { value: "curve", label: "Curve" },
              { value: "table", label: "Table" },
            ]}
          />
        </div>
      }
    >
      {empty ? (
        <div className="hatch flex h-80 items-center justify-center rounded-md bg-sunken text-muted">
          {ended ? "No step was done." : "The curve starts with the first step."}
        </div>
      ) : chart === "table" ? (
        <LossTable series={series} recipe={recipe} smoothing={smoothing} />
      ) : (
        <>
          <LossChart
            series={series}
            smoothing={smoothing}
            log={scale === "log"}
            description={description}
            cursor={cursor}
            onPick={onPick}
          />
          <StepScrubber series={series} cursor={cursor} onPick={onPick} />
        </>
      )}
    </Panel>
  );
}

function useIsEmpty(series: Series): boolean {
  return useSyncExternalStore(
    (listener) => series.subscribe(listener),
    () => series.length === 0,
  );
}

const DESCRIBED_EVERY_MS = 4000;

/** Where the curve stands; renewed now and then, so that it does not chatter, and always at its end. */
function useDescription(series: Series): string {
  const [text, setText] = useState(() => sentence(series));
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isEmpty = series.length === 0;
    const updateSentence = () => {
      timer = undefined;
      isEmpty = series.length === 0;
      setText(sentence(series));
    };
    const changed = () => {
      if (isEmpty) updateSentence();
      else timer ??= setTimeout(updateSentence, DESCRIBED_EVERY_MS);
    };
    updateSentence();
    const unsubscribe = series.subscribe(changed);
    return () => {
      unsubscribe();
      clearTimeout(timer);
    };
  }, [series]);
  return text;
}

function sentence(series: Series): string {
  const { step, loss } = series.view();
  const smoothed = smooth(loss, DEFAULT_SMOOTHING);
  const last = series.length - 1;
  const validation = series.validation.at(-1);
  return [
    `Training loss ${formatLoss(smoothed[last] ?? Number.NaN)} at step ${formatCount(step[last] ?? 0)}, ${trend(smoothed)}`,
    validation && `validation loss ${formatLoss(validation[1])} after step ${formatCount(validation[0])}`,
  ]
    .filter(Boolean)
    .join("; ");
}

const MOST_ROWS = 40;

interface TableProps {
  series: Series;
  recipe: Job["recipe"];
  smoothing: number;
}

function LossTable({ series, recipe, smoothing }: TableProps) {
  useSyncExternalStore(
    (listener) => series.subscribe(listener),
    () => series.version,
  );
  const { step, loss, rate } = series.view();
  const { label, note } = rateOf(recipe);
  const smoothed = smooth(loss, smoothing);
  const every = Math.max(1, Math.ceil(series.length / MOST_ROWS));
  const rows = [...step.keys()].filter((i) => i % every === 0 || i === series.length - 1).reverse();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
    <section aria-label="Loss by step" tabIndex={0} className="h-80 overflow-y-auto">
      {note && <p className="mb-2 text-muted text-xs">{note}</p>}
      <table className="w-full text-right">
        <thead className="eyebrow sticky top-0 bg-surface">
          <tr className="[&>th]:border-b [&>th]:px-2 [&>th]:py-1 [&>th]:font-medium">
            <th scope="col">Step</th>
            <th scope="col">Loss</th>
            <th scope="col">Smoothed</th>
            <th scope="col">{label}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((i) => (
            <tr key={i} className="border-b last:border-b-0 [&>td]:px-2 [&>td]:py-1">
              <td>{formatCount(step[i] ?? 0)}</td>
              <td>{formatLoss(loss[i] ?? Number.NaN)}</td>
              <td>{formatLoss(smoothed[i] ?? Number.NaN)}</td>
              <td>{(rate[i] ?? 0).toExponential(2)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
