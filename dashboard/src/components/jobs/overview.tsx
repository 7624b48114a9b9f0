// The first tab of a job: pictures and checkpoints, the curve beside them, and what a step saw.
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import type { Job, Sample } from "~/api/types";
import { LossPanel } from "~/components/chart/loss-panel";
import { isEnded } from "~/components/phase";
import { StepCursor } from "~/live/cursor";
import type { Series } from "~/live/series";
import { HardPictures } from "./steps/hard-pictures";
import { StepPanel } from "./steps/step-panel";
import { StepRows } from "./steps/step-rows";

interface Props {
  job: Job;
  samples: Sample[];
  series: Series;
  onOpen: (sample: Sample) => void;
}

export function Overview({ job, samples, series, onOpen }: Props) {
  const { step } = useSearch({ from: "/_app/jobs/$jobId" });
  const navigate = useNavigate({ from: "/jobs/$jobId" });
  const [cursor] = useState(() => new StepCursor());
  const see = (next: number | undefined) =>
    void navigate({
      search: ({ step: _, ...before }) => (next === undefined ? before : { ...before, step: next }),
      replace: true,
      resetScroll: false,
    });
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_minmax(0,1fr)]">
      <StepRows job={job} samples={samples} series={series} cursor={cursor} onOpen={onOpen} />
      <div className="flex min-w-0 flex-col gap-4">
        <LossPanel
          series={series}
          recipe={job.recipe}
          ended={isEnded(job.phase)}
          cursor={cursor}
          onPick={see}
        />
        {step !== undefined && <StepPanel job={job} step={step} onClose={() => see(undefined)} />}
        <HardPictures job={job} />
      </div>
    </div>
  );
}
