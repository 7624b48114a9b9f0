// On the page of a job: the checkpoint to use, and what the result was found to be.
import { useQuery } from "@tanstack/react-query";
import { judgementsQuery } from "~/api/jobs";
import type { Job, ModelVersion } from "~/api/types";
import { isEnded } from "~/components/phase";
import { LoadError } from "~/components/ui/load-error";
import { formatCount } from "~/lib/format";
import { BestSoFar } from "./best-so-far";
import { ResultCard } from "./result-card";

interface Props {
  job: Job;
  version: ModelVersion | undefined;
}

export function JobResult({ job, version }: Props) {
  const { data, error } = useQuery(judgementsQuery(job.id));
  if (!data) return error && <LoadError error={error} className="mb-4" />;
  const { result, recommendation, checkpoints } = data;
  // As long as there is no result, the newest checkpoint says how the training goes.
  const shown = result ?? (job.phase === "succeeded" ? undefined : checkpoints.at(-1));
  if (!shown && !recommendation) return null;
  return (
    <div className="mb-4 flex flex-col gap-4">
      {recommendation && checkpoints.length > 1 && <BestSoFar job={job} best={recommendation} />}
      {shown && (
        <ResultCard
          title={result ? "Result" : `Checkpoint of step ${formatCount(shown.step)}`}
          judgement={shown.judgement}
          pictures={shown.pictures}
          job={job}
          version={version}
          isFinal={isEnded(job.phase)}
        />
      )}
    </div>
  );
}
