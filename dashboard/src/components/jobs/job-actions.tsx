// What a person can tell a job to do, given where it stands.
import { Ban, Boxes, CirclePause, ImagePlus, RotateCw, Save } from "lucide-react";
import { type JobAction, useJobAction } from "~/api/jobs";
import type { Job, Phase } from "~/api/types";
import { ResumeWithLimit } from "~/components/spend/job-limit";
import { isRented } from "~/components/spend/job-money";
import { Button, ButtonLink } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { StartButton } from "~/components/ui/start-button";
import { announce, announceError } from "~/components/ui/toast";

const DONE: Record<JobAction, string> = {
  cancel: "The job is being canceled",
  stop: "The job is stopping and keeps its newest checkpoint",
  resume: "The job is queued again",
  checkpoint: "Checkpoint requested",
  sample: "Samples requested",
};

const LIVE: Phase[] = ["queued", "launching", "running", "finalizing", "stopping"];

export function JobActions({ job, modelId }: { job: Job; modelId: string | undefined }) {
  const action = useJobAction(job.id);
  const act = (name: JobAction) =>
    action.mutate(name, {
      onSuccess: () => announce(DONE[name]),
      onError: (error) => announceError("That did not work", error),
    });
  const pending = action.isPending;
  return (
    <>
      {job.phase === "running" && (
        <>
          <StartButton onStart={() => act("sample")} disabled={pending}>
            <ImagePlus aria-hidden />
            Sample now
          </StartButton>
          <StartButton onStart={() => act("checkpoint")} disabled={pending}>
            <Save aria-hidden />
            Checkpoint now
          </StartButton>
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
          description="It ends immediately, without a model, and cannot be resumed. To keep its progress, stop it instead."
          action="Cancel the job"
          onConfirm={() => act("cancel")}
        />
      )}
      {modelId && (
        <ButtonLink to="/models/$modelId" params={{ modelId }} variant="primary">
          <Boxes aria-hidden />
          Open model
        </ButtonLink>
      )}
    </>
  );
}
