// Samples and checkpoints of a job, step by step: what a training is for comes first.
import { useQuery } from "@tanstack/react-query";
import { Download, Repeat2, Wand2 } from "lucide-react";
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { artifactsQuery } from "~/api/jobs";
import { jobsQuery, samplesQuery } from "~/api/queries";
import type { Job, Sample } from "~/api/types";
import { isEnded } from "~/components/phase";
import { ScoreOf } from "~/components/results/best-so-far";
import { StampBadge } from "~/components/results/stamps";
import { ButtonLink, buttonClass } from "~/components/ui/button";
import { LoadError } from "~/components/ui/load-error";
import { Panel } from "~/components/ui/panel";
import { cn } from "~/lib/cn";
import { formatBytes, formatCount, formatDate, formatLoss } from "~/lib/format";
import type { StepCursor } from "~/live/cursor";
import type { Series } from "~/live/series";
import { MakeVersion } from "../make-version";
import { Thumb, useIsNarrow } from "../sample-grid";
import { firstAt } from "../samples";
import { MakerLinks } from "./maker-links";
import { around, type StepRow, stepRows, timeOf } from "./rows";

const NONE: never[] = [];

interface Props {
  job: Job;
  samples: Sample[];
  series: Series;
  cursor: StepCursor;
  onOpen: (sample: Sample) => void;
}

export function StepRows({ job, samples, series, cursor, onOpen }: Props) {
  const pictures = useQuery(samplesQuery(job.id));
  const stored = useQuery(artifactsQuery(job.id));
  const others = useQuery(jobsQuery());
  const [files, jobs] = [stored.data ?? NONE, others.data ?? NONE];
  const error = pictures.error ?? stored.error ?? others.error;
  const rows = useMemo(() => stepRows(job, samples, files, jobs), [job, samples, files, jobs]);
  const isNarrow = useIsNarrow();
  const nSteps = job.progress?.n_steps ?? job.recipe.parameters.n_steps;
  useEffect(
    () =>
      cursor.setMarks(
        rows.map(({ step }) => step),
        nSteps,
      ),
    [cursor, rows, nSteps],
  );
  const list = useRef<HTMLOListElement>(null);
  useNewestInView(list, rows.length, !isNarrow);
  useLitInView(list, cursor);
  const isLoaded = pictures.isSuccess && stored.isSuccess;
  return (
    <Panel
      title="Samples and checkpoints"
      aside={
        <span className="text-muted text-xs">
          {isEnded(job.phase)
            ? "Older checkpoints are deleted a day after the end"
            : "Every checkpoint can become a version"}
        </span>
      }
      bodyClassName="p-0"
    >
      {error && <LoadError error={error} className="p-3" />}
      {rows.length === 0 ? (
        !error && (
          <div className="p-3">
            <div className="hatch grid h-40 place-items-center rounded-md bg-sunken text-muted">
              {isLoaded ? (isEnded(job.phase) ? "There are none." : firstAt(job)) : "Loading…"}
            </div>
          </div>
        )
      ) : (
        <ol
          ref={list}
          aria-label="Samples and checkpoints by step"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
          tabIndex={0}
          className="relative max-h-[26rem] divide-y overflow-y-auto xl:max-h-[44rem]"
        >
          {(isNarrow ? rows.toReversed() : rows).map((row) => (
            <Row key={row.step} job={job} row={row} series={series} cursor={cursor} onOpen={onOpen} />
          ))}
        </ol>
      )}
    </Panel>
  );
}

interface RowProps {
  job: Job;
  row: StepRow;
  series: Series;
  cursor: StepCursor;
  onOpen: (sample: Sample) => void;
}

function Row({ job, row, series, cursor, onOpen }: RowProps) {
  const { step, samples } = row;
  const isLit = useSyncExternalStore(cursor.subscribe, () => cursor.lit() === step);
  const light = () => cursor.point(step, "rows");
  const leave = () => cursor.leave("rows");
  return (
    <li
      data-step={step}
      data-lit={isLit || undefined}
      onPointerEnter={light}
      onPointerLeave={leave}
      onFocus={light}
      onBlur={leave}
      className={cn(
        "border-l-2 px-3 py-2 transition-colors",
        isLit ? "border-l-accent bg-hover" : "border-l-transparent",
      )}
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="min-w-32 flex-1">
          <p className="font-medium">{step === 0 ? "Before training" : `Step ${formatCount(step)}`}</p>
          <Facts row={row} series={series} />
          {row.checkpoint?.judgement && (
            <p className="mt-1 flex flex-wrap items-center gap-2 text-xs">
              <StampBadge stamp={row.checkpoint.judgement.stamp} />
              <ScoreOf {...row.checkpoint.judgement} />
            </p>
          )}
        </div>
        <Actions job={job} row={row} />
      </div>
      {samples.length > 0 && (
        <ul className="mt-2 flex gap-1.5 overflow-x-auto pb-1">
          {samples.map((sample) => (
            <li key={sample.artifact_id} className="shrink-0">
              <Thumb sample={sample} onOpen={onOpen} />
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

/** When it was, and how the training stood. */
function Facts({ row, series }: { row: StepRow; series: Series }) {
  // Text does not change while nothing around the step does.
  const stood = useSyncExternalStore(
    (listener) => series.subscribe(listener),
    () => standing(series, row.step),
  );
  const at = timeOf(row);
  return (
    <p className="text-muted text-xs">
      {at && <time dateTime={at}>{formatDate(at)}</time>}
      {row.step === 0 ? " · The base model alone" : stood && ` · ${stood}`}
      {row.checkpoint && ` · ${formatBytes(row.checkpoint.size_bytes)}`}
    </p>
  );
}

function standing(series: Series, step: number): string {
  const stood = around(series.view(), step);
  return stood
    ? `Loss around it ${formatLoss(stood.loss)} · Learning rate ${stood.rate.toExponential(2)}`
    : "";
}

function Actions({
  job,
  row: { step, checkpoint, makers, versionId, isResult },
}: {
  job: Job;
  row: StepRow;
}) {
  if (!checkpoint || job.version_of) return null;
  return (
    <div className="flex flex-wrap items-center gap-2">
      <MakerLinks makers={makers} />
      {isResult && <span className="text-muted text-xs">Is the version of this job</span>}
      {versionId ? (
        <>
          <ButtonLink
            to="/playground"
            search={{ lora: versionId }}
            size="sm"
            aria-label={`Try step ${step} in the playground`}
          >
            <Wand2 aria-hidden />
            Try
          </ButtonLink>
          <ButtonLink
            to="/jobs/new"
            search={{ again: job.id, from: versionId }}
            size="sm"
            aria-label={`Go on from step ${step} with other settings`}
            title="A new job that begins with this LoRA. The form has the settings of this job."
          >
            <Repeat2 aria-hidden />
            Go on from here
          </ButtonLink>
        </>
      ) : (
        !isResult && <MakeVersion job={job} step={step} />
      )}
      <a
        href={checkpoint.url}
        download={checkpoint.file_name}
        aria-label={`Download the checkpoint of step ${step}`}
        title="The state to resume from. For a LoRA file that other programs read, make a version."
        className={buttonClass({ size: "sm" })}
      >
        <Download aria-hidden />
        Download
      </a>
    </div>
  );
}

/** Keeps the newest row in view, as long as nobody has scrolled away from it. */
function useNewestInView(list: React.RefObject<HTMLOListElement | null>, nRows: number, isLast: boolean) {
  const isAtEnd = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it moves when rows come
  useEffect(() => {
    const element = list.current;
    if (!element || !isLast) return;
    if (isAtEnd.current) element.scrollTop = element.scrollHeight;
    const scrolled = () => {
      isAtEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - 8;
    };
    element.addEventListener("scroll", scrolled, { passive: true });
    return () => element.removeEventListener("scroll", scrolled);
  }, [nRows, isLast, list]);
}

/** Brings the row that the curve or the keys point at into the list's view; the page stays where it is. */
function useLitInView(list: React.RefObject<HTMLOListElement | null>, cursor: StepCursor) {
  useEffect(
    () =>
      cursor.subscribe(() => {
        const step = cursor.lit();
        const element = list.current;
        if (!element || step === null || cursor.isAmongRows) return;
        const row = element.querySelector<HTMLElement>(`[data-step="${step}"]`);
        if (!row) return;
        const below = row.offsetTop + row.offsetHeight - element.clientHeight;
        if (row.offsetTop < element.scrollTop) element.scrollTop = row.offsetTop;
        else if (below > element.scrollTop) element.scrollTop = Math.min(below, row.offsetTop);
      }),
    [cursor, list],
  );
}
