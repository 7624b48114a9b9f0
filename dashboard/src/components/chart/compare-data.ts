// Losses of several jobs on one axis, as uPlot takes them.
import uPlot from "uplot";
import type { Job, Metrics } from "~/api/types";
import { smooth } from "~/live/smooth";

/** What lies below the curves: optimizer steps, times through the pictures, or seconds of training. */
export const AXES = ["step", "epoch", "time"] as const;
export type Axis = (typeof AXES)[number];

export interface Compared {
  job: Job;
  metrics: Omit<Metrics, "validation"> & { validation: number[][] };
}

/** Where each entry lies on the axis. */
export function positions({ job, metrics }: Compared, axis: Axis): Float64Array {
  switch (axis) {
    case "step":
      return Float64Array.from(metrics.step);
    case "epoch": {
      const perEpoch = stepsPerEpoch(job);
      return Float64Array.from(metrics.step, (step) => step / perEpoch);
    }
    case "time": {
      // An entry stands for the steps since the one before, which took about as long as its last one.
      let seconds = 0;
      return Float64Array.from(metrics.step, (step, i) => {
        seconds += ((step - (metrics.step[i - 1] ?? 0)) * (metrics.step_ms?.[i] ?? 0)) / 1000;
        return seconds;
      });
    }
  }
}

function stepsPerEpoch({ progress }: Job): number {
  if (!progress) return 1;
  return Math.max(1, progress.n_steps / Math.max(1, progress.n_epochs));
}

/** Places on the axis, and on them the smoothed losses of each job; what a job lacks there is left out. */
export function compareData(all: Compared[], axis: Axis, smoothing: number): uPlot.AlignedData {
  const tables = all.map((compared): [Float64Array, Float64Array] => [
    positions(compared, axis),
    smooth(Float64Array.from(compared.metrics.loss), smoothing),
  ]);
  return tables.length === 1
    ? (tables[0] as unknown as uPlot.AlignedData)
    : uPlot.join(tables as unknown as uPlot.AlignedData[]);
}
