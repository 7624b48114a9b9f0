// All samples of a job, prompt by step, in a tab of their own.
import type { Job, Sample } from "~/api/types";
import { isEnded } from "~/components/phase";
import { Empty } from "~/components/ui/empty";
import { Panel } from "~/components/ui/panel";
import { formatCount, formatPlural } from "~/lib/format";
import { SampleGrid } from "./sample-grid";

interface SamplesProps {
  job: Job;
  samples: Sample[];
  onOpen: (sample: Sample) => void;
}

export function Samples({ job, samples, onOpen }: SamplesProps) {
  if (samples.length === 0) {
    const { sample_every_n_steps: nSteps, sample_every_n_epochs: nEpochs } = job.recipe.parameters;
    const every = nEpochs > 0 ? often(nEpochs, "epoch") : nSteps > 0 && often(nSteps, "step");
    return (
      <Empty title={isEnded(job.phase) ? "No samples" : "No samples yet"}>
        {every
          ? `The sample prompts are rendered ${every}, and whenever you press “Sample now”.`
          : "This job renders no samples automatically. Request them with “Sample now” while it runs."}
      </Empty>
    );
  }
  return (
    <Panel
      title="Samples"
      aside={
        <span className="text-muted text-xs">
          <span className="pointer-coarse:hidden">Click a picture, then use the arrow keys</span>
          <span className="hidden pointer-coarse:inline">Tap a picture, then swipe</span>
        </span>
      }
    >
      <SampleGrid samples={samples} onOpen={onOpen} />
    </Panel>
  );
}

function often(n: number, noun: string): string {
  return n === 1 ? `every ${noun}` : `every ${formatPlural(n, noun)}`;
}

/** When the first samples come. */
export function firstAt({ recipe: { parameters } }: Job): string {
  const { sample_every_n_steps: nSteps, sample_every_n_epochs: nEpochs, n_steps } = parameters;
  if (parameters.sample_at_start) return "First samples before the first step, of the base model alone";
  if (nEpochs > 0)
    return `First samples ${nEpochs === 1 ? "after the first epoch" : `after ${nEpochs} epochs`}`;
  if (nSteps > 0) return `First samples at step ${formatCount(Math.min(nSteps, n_steps))}`;
  return "This job draws no samples by itself";
}
