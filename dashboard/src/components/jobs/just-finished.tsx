// Jobs that ended since somebody last looked: their picture, and what to do with the result.
import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { samplesQuery } from "~/api/queries";
import type { Job } from "~/api/types";
import { PhaseBadge } from "~/components/phase";
import { Button, ButtonLink } from "~/components/ui/button";
import { formatAgo, formatPlural, formatSentence } from "~/lib/format";
import { justFinished, markSeen, useSeen } from "~/lib/just-finished";
import { pictureOf } from "~/live/tell-of-end";

/** More of them are in the list below. */
const MOST = 4;

export function JustFinished({ jobs }: { jobs: Job[] }) {
  const news = justFinished(jobs, useSeen());
  if (news.length === 0) return null;
  return (
    <section aria-label="Just finished" className="mb-4 rounded-lg border bg-surface">
      <div className="flex items-center justify-between gap-3 border-b px-3 py-1.5">
        <h2 className="eyebrow">Just finished</h2>
        <Button
          variant="ghost"
          size="sm"
          onClick={() => {
            for (const job of news) markSeen(job.id);
          }}
        >
          Dismiss all
        </Button>
      </div>
      <ul className="divide-y">
        {news.slice(0, MOST).map((job) => (
          <Ended key={job.id} job={job} />
        ))}
      </ul>
      {news.length > MOST && (
        <p className="border-t px-3 py-1.5 text-muted text-xs">
          And {formatPlural(news.length - MOST, "other job")}, in the list below.
        </p>
      )}
    </section>
  );
}

function Ended({ job }: { job: Job }) {
  const { data: samples } = useQuery(samplesQuery(job.id));
  const picture = samples && pictureOf(samples);
  const { name } = job.recipe;
  return (
    <li className="flex flex-wrap items-center gap-3 px-3 py-2">
      {picture ? (
        <img src={picture} alt="" className="size-14 rounded-sm object-cover" />
      ) : (
        <div className="hatch size-14 rounded-sm" />
      )}
      <div className="min-w-40 flex-1">
        <p className="flex flex-wrap items-center gap-2">
          <span className="wrap-anywhere font-medium">{name}</span>
          <PhaseBadge phase={job.phase} />
        </p>
        <p className="line-clamp-2 text-muted text-xs">
          {job.ended_at && `Ended ${formatAgo(job.ended_at)}. `}
          {job.reason && formatSentence(job.reason)}
        </p>
      </div>
      <div className="flex items-center gap-2">
        {job.model_version_id && job.phase === "succeeded" && (
          <ButtonLink
            to="/playground"
            search={{ lora: job.model_version_id }}
            variant="primary"
            size="sm"
            aria-label={`Try ${name}`}
            onClick={() => markSeen(job.id)}
          >
            Try
          </ButtonLink>
        )}
        <ButtonLink
          to="/jobs/$jobId"
          params={{ jobId: job.id }}
          size="sm"
          aria-label={`Open ${name}`}
          onClick={() => markSeen(job.id)}
        >
          Open
        </ButtonLink>
        <Button
          variant="ghost"
          size="icon-sm"
          aria-label={`Dismiss ${name}`}
          onClick={() => markSeen(job.id)}
        >
          <X aria-hidden />
        </Button>
      </div>
    </li>
  );
}
