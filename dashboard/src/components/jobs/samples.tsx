// The samples of a job: the newest ones beside the curve, all of them in their own tab.
import type { Job, Sample } from "~/api/types";
import { isEnded } from "~/components/phase";
import { Button } from "~/components/ui/button";
import { Empty } from "~/components/ui/empty";
import { Panel } from "~/components/ui/panel";
import { formatCount, formatPlural } from "~/lib/format";
import { rows, SampleGrid } from "./sample-grid";

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
  if (nEpochs > 0)
    return `First samples ${nEpochs === 1 ? "after the first epoch" : `after ${nEpochs} epochs`}`;
  if (nSteps > 0) return `First samples at step ${formatCount(Math.min(nSteps, n_steps))}`;
  return "This job draws no samples by itself.";
}

interface NewestProps {
  job: Job;
  samples: Sample[];
  onOpen: (sample: Sample) => void;
  onAll: () => void;
}

/** The newest sample of each prompt. */
export function NewestSamples({ job, samples, onOpen, onAll }: NewestProps) {
  const newest = rows(samples).flatMap((row) => row.at(-1) ?? []);
  const step = newest[0]?.step;
  return (
    <Panel
      title="Newest samples"
      aside={
        step !== undefined && (
          <Button variant="ghost" size="sm" onClick={onAll}>
            All steps
          </Button>
        )
      }
    >
      {newest.length === 0 ? (
        <div className="hatch grid h-40 place-items-center rounded-md bg-sunken text-muted">
          {isEnded(job.phase) ? "There are none." : firstAt(job)}
        </div>
      ) : (
        <ul className="grid grid-cols-2 gap-2 sm:grid-cols-4 xl:grid-cols-2">
          {newest.slice(0, 8).map((sample) => (
            <li key={sample.artifact_id} className="min-w-0">
              <button
                type="button"
                onClick={() => onOpen(sample)}
                className="block w-full overflow-hidden rounded-sm border bg-sunken transition-colors hover:border-accent"
              >
                <img src={sample.url} alt={sample.prompt} className="aspect-square w-full object-cover" />
              </button>
              <p className="mt-1 text-muted text-xs">Step {formatCount(sample.step)}</p>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
