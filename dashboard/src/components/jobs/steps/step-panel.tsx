// One step of the curve: its numbers, and the pictures and captions of its batch.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import { ProblemError } from "~/api/problem";
import { jobStepQuery } from "~/api/queries";
import type { Job, JobStep } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Figure } from "~/components/ui/misc";
import { Panel } from "~/components/ui/panel";
import { formatCount, formatDate, formatLoss, formatSentence } from "~/lib/format";
import { rateOf } from "~/live/rate";
import { formatRelative } from "./relative";

interface Props {
  job: Job;
  step: number;
  onClose: () => void;
}

export function StepPanel({ job, step, onClose }: Props) {
  const { data, error } = useQuery(jobStepQuery(job.id, step));
  return (
    <div aria-live="polite">
      <Panel
        title={`Step ${formatCount(step)}`}
        aside={
          <Button variant="ghost" size="icon-sm" aria-label="Close this step" onClick={onClose}>
            <X aria-hidden />
          </Button>
        }
      >
        {data ? (
          <>
            <dl className="grid grid-cols-2 gap-x-4 gap-y-2 sm:grid-cols-4">
              <Figure label="Loss">{formatLoss(data.loss)}</Figure>
              <Figure label={rateOf(job.recipe).label}>{data.learning_rate.toExponential(2)}</Figure>
              <Figure label="Time of the step">{Math.round(data.step_ms)} ms</Figure>
              <Figure label="Done">
                <time dateTime={data.at}>{formatDate(data.at)}</time>
              </Figure>
            </dl>
            <Batch job={job} pictures={data.pictures} />
          </>
        ) : (
          <p className="text-muted">{error ? whyNot(error, step) : "Loading…"}</p>
        )}
      </Panel>
    </div>
  );
}

function whyNot(error: Error, step: number): string {
  return error instanceof ProblemError && error.problem.status === 404
    ? `Step ${formatCount(step)} has not been done.`
    : formatSentence(error.message);
}

function Batch({ job, pictures }: { job: Job; pictures: JobStep["pictures"] }) {
  if (pictures.length === 0) {
    return (
      <p className="mt-3 text-muted">
        {job.recipe.engine === "kohya"
          ? "sd-scripts does not report which pictures a step saw."
          : "The pictures of this step are not known. While a job runs, they come some seconds after the step."}
      </p>
    );
  }
  return (
    <ul aria-label="Pictures of this step" className="mt-3 grid gap-2 sm:grid-cols-2">
      {pictures.map((picture, place) => (
        // A step can see a picture twice.
        // biome-ignore lint/suspicious/noArrayIndexKey: the pictures of a step never change
        <li key={place} className="flex min-w-0 gap-2">
          <PictureLink job={job} picture={picture} />
          <div className="min-w-0 text-xs">
            <p className="line-clamp-3 wrap-anywhere">{picture.caption || "Without a caption"}</p>
            <p className="text-muted">
              Loss {formatLoss(picture.loss)} · {formatRelative(picture.relative_loss)} · Timestep{" "}
              {picture.timestep}
            </p>
          </div>
        </li>
      ))}
    </ul>
  );
}

interface PictureProps {
  job: Job;
  picture: { item_id: string; file_name?: string | null; url: string };
}

/** The thumbnail of a picture; it leads to the dataset, if the picture is still there. */
export function PictureLink({ job, picture: { item_id, file_name, url } }: PictureProps) {
  const image = (
    <img
      src={url}
      alt={file_name ?? "Removed from the dataset"}
      loading="lazy"
      className="size-20 rounded-sm border bg-sunken object-cover"
    />
  );
  if (!file_name) return <span className="shrink-0">{image}</span>;
  return (
    <Link
      to="/datasets/$datasetId"
      params={{ datasetId: job.dataset_id }}
      search={{ picture: item_id }}
      title={`${file_name}, in the dataset`}
      className="shrink-0 rounded-sm"
    >
      {image}
    </Link>
  );
}
