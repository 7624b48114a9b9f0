// Samples of several jobs side by side: the same prompt and seed, at the same step.
import type { Sample } from "~/api/types";

export interface SampleRow {
  prompt: string;
  seed: Sample["seed"];
  /** Null for the last sample of each job, where their steps differ. */
  step: number | null;
  /** One for each job; nothing where it has none. */
  cells: (Sample | undefined)[];
}

/** Rows of which at least two jobs have a picture: the last ones first, then the later steps before the earlier. */
export function sharedSamples(jobs: Sample[][]): SampleRow[] {
  const keyOf = ({ prompt, seed }: Sample) => JSON.stringify([prompt, seed]);
  const rows: SampleRow[] = [];
  for (const key of new Set(jobs.flat().map(keyOf))) {
    const ofPrompt = jobs.map((samples) => samples.filter((sample) => keyOf(sample) === key));
    const first = ofPrompt.flat()[0];
    if (!first) continue;
    const { prompt, seed } = first;
    const last = ofPrompt.map((samples) => samples.toSorted((a, b) => b.step - a.step)[0]);
    if (new Set(last.flatMap((sample) => sample?.step ?? [])).size > 1) {
      rows.push({ prompt, seed, step: null, cells: last });
    }
    const steps = new Set(ofPrompt.flat().map(({ step }) => step));
    for (const step of steps) {
      const cells = ofPrompt.map((samples) => samples.findLast((sample) => sample.step === step));
      rows.push({ prompt, seed, step, cells });
    }
  }
  const order = ({ step }: SampleRow) => step ?? Number.POSITIVE_INFINITY;
  return rows
    .filter(({ cells }) => cells.filter((cell) => cell !== undefined).length > 1)
    .sort((a, b) => (order(a) === order(b) ? 0 : order(b) - order(a)));
}
