// What a person can tell a job to do, given where it stands.
import { useNavigate } from "@tanstack/react-router";
import { Ban, Boxes, CirclePause, Flag, ImagePlus, Repeat2, RotateCw, Save } from "lucide-react";
import { type JobAction, useJobAction } from "~/api/jobs";
import type { Job, ModelVersion, Phase } from "~/api/types";
import { isEnded } from "~/components/phase";
import { ResumeWithLimit } from "~/components/spend/job-limit";
import { isRented } from "~/components/spend/job-money";
import { DeleteButton } from "~/components/trash/delete-button";
import { Button, ButtonLink } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { StartButton } from "~/components/ui/start-button";
import { announce, announceError } from "~/components/ui/toast";
import { formatCount } from "~/lib/format";

const DONE: Record<JobAction, string> = {
  cancel: "The job is being canceled",
  stop: "The job is stopping and keeps its newest checkpoint",
  finish: "The job ends early and becomes a version",
  resume: "The job is queued again",
  checkpoint: "A checkpoint is stored after this step",
  sample: "Samples come after this step",
};

const NOT_DONE: Record<JobAction, string> = {
  cancel: "The job was not canceled",
  stop: "The job was not stopped",
  finish: "The job was not finished",
  resume: "The job was not resumed",
  checkpoint: "The checkpoint was not saved",
  sample: "The samples were not requested",
};

const LIVE: Phase[] = ["queued", "launching", "running", "finalizing", "stopping"];

export function JobActions({ job, version }: { job: Job; version: ModelVersion | undefined }) {
  const action = useJobAction(job.id);
  const act = (name: JobAction) =>
    action.mutate(name, {
      onSuccess: () => announce(DONE[name]),
      onError: (error) => announceError(NOT_DONE[name], error),
    });
  const pending = action.isPending;
  const navigate = useNavigate();
  return (
    <>
      {job.phase === "running" && !job.version_of && !job.is_finishing && (
        <>
          <StartButton onStart={() => act("sample")} disabled={pending}>
            <ImagePlus aria-hidden />
            Sample now
          </StartButton>
          <StartButton onStart={() => act("checkpoint")} disabled={pending}>
            <Save aria-hidden />
            Checkpoint now
          </StartButton>
          <Confirm
            trigger={
              <Button disabled={pending}>
                <Flag aria-hidden />
                Finish now
              </Button>
            }
            title="Finish this job now?"
            description={whatFinishDoes(job)}
            action="Finish the job"
            onConfirm={() => act("finish")}
          />
          <Button onClick={() => act("stop")} disabled={pending}>
            <CirclePause aria-hidden />
            Stop
          </Button>
        </>
      )}
      {(job.phase === "stopped" || job.phase === "failed") &&
        (isRented(job) ? (
          <ResumeWithLimit job={job} />
        ) : (
          <StartButton variant="primary" onStart={() => act("resume")} disabled={pending}>
            <RotateCw aria-hidden />
            Resume{job.checkpoint_step != null && ` from step ${job.checkpoint_step}`}
          </StartButton>
        ))}
      {LIVE.includes(job.phase) && (
        <Confirm
          trigger={
            <Button variant="danger" disabled={pending}>
              <Ban aria-hidden />
              Cancel
            </Button>
          }
          title="Cancel this job?"
          description={whatIsLost(job)}
          action="Cancel the job"
          onConfirm={() => act("cancel")}
        />
      )}
      {!job.version_of && (
        <ButtonLink to="/jobs/new" search={{ again: job.id }}>
          <Repeat2 aria-hidden />
          Train again
        </ButtonLink>
      )}
      {!job.model_version_id && isEnded(job.phase) && (
        <DeleteButton
          items={[{ kind: "job", id: job.id }]}
          what={job.recipe.name}
          onDeleted={() => void navigate({ to: "/jobs" })}
        />
      )}
      {version && (
        <ButtonLink
          to="/models/$modelId"
          params={{ modelId: version.model_id }}
          search={{ version: version.version }}
          variant="primary"
        >
          <Boxes aria-hidden />
          Open model
        </ButtonLink>
      )}
    </>
  );
}

/** What is asked before a job is finished early. */
export function whatFinishDoes({ recipe, progress }: Job): string {
  const end = recipe.engine === "kohya" ? "next checkpoint" : "next step";
  const left = progress ? progress.n_steps - progress.step : 0;
  const rest =
    left > 0 ? `The rest of its ${formatCount(progress?.n_steps ?? 0)} steps is` : "Further steps are";
  return `It ends with the ${end}, which is checked and becomes a version. ${rest} not trained, and it cannot be resumed.`;
}

function whatIsLost({ phase, checkpoint_step, version_of }: Job): string {
  if (version_of) return "No version is made. The checkpoint stays where it is.";
  if (phase === "queued" && checkpoint_step == null) return "It has not started, so nothing is lost.";
  const ends = "It ends immediately, without a model, and cannot be resumed.";
  return phase === "running" ? `${ends} To keep its progress, stop or finish it instead.` : ends;
}
