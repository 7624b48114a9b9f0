// Which checkpoint of a job to use, and why.
import { useQuery } from "@tanstack/react-query";
import { Trophy, Wand2 } from "lucide-react";
import { jobsQuery } from "~/api/queries";
import type { Job, Recommendation } from "~/api/types";
import { MakeVersion } from "~/components/jobs/make-version";
import { MakerLinks } from "~/components/jobs/steps/maker-links";
import { madeOf } from "~/components/jobs/steps/rows";
import { isEnded } from "~/components/phase";
import { ButtonLink } from "~/components/ui/button";
import { formatCount } from "~/lib/format";

interface Props {
  job: Job;
  best: Recommendation;
}

export function BestSoFar({ job, best }: Props) {
  const { data: jobs = [] } = useQuery(jobsQuery());
  const { makers, versionId, isResult } = madeOf(job, jobs, best.step);
  const isMade = isResult || versionId !== undefined || makers.some(({ phase }) => !isEnded(phase));
  const { step, sentence, score, score_low, score_high } = best;
  return (
    <section
      aria-label="Recommended checkpoint"
      className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg border border-good bg-good-soft px-3 py-2"
    >
      <Trophy aria-hidden className="size-5 shrink-0 text-good" />
      <div className="min-w-48 flex-1">
        <p className="font-medium">
          Step {formatCount(step)} is the best {isEnded(job.phase) ? "checkpoint" : "so far"}
        </p>
        <p className="text-xs">
          {sentence} <ScoreOf score={score} score_low={score_low} score_high={score_high} />
        </p>
      </div>
      <MakerLinks makers={makers} />
      {isResult && <span className="text-muted text-xs">Is the version of this job</span>}
      {versionId && (
        <ButtonLink to="/playground" search={{ lora: versionId }} size="sm">
          <Wand2 aria-hidden />
          Try it
        </ButtonLink>
      )}
      {!isMade && !job.version_of && <MakeVersion job={job} step={step} />}
    </section>
  );
}

type Scores = Pick<Recommendation, "score" | "score_low" | "score_high">;

/** `Score 0.72 (0.61 to 0.80)` */
export function ScoreOf({ score, score_low, score_high }: Scores) {
  return (
    <span
      className="whitespace-nowrap text-muted"
      title="From 0 to 1, to compare the checkpoints of a job; in brackets the 95 % interval"
    >
      Score {score.toFixed(2)} ({score_low.toFixed(2)} to {score_high.toFixed(2)})
    </span>
  );
}
