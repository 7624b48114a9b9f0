// What the learning rate of each step is, as the engine tells it.
import type { Job } from "~/api/types";

interface Rate {
  label: string;
  /** What a person has to know about it. */
  note?: string;
}

export function rateOf({ engine, parameters }: Job["recipe"]): Rate {
  // sd-scripts tells what Prodigy has found, and nothing of D-Adaptation.
  return engine === "kohya" && parameters.optimizer === "d_adaptation"
    ? {
        label: "Factor",
        note: "D-Adaptation multiplies what it finds by this factor. sd-scripts does not tell the learning rate that comes out.",
      }
    : { label: "Learning rate" };
}
