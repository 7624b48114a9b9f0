// What the owner of a base model may say of it: what its U-Net predicts, in the server's words, and its VAE.
import type { Prediction } from "~/api/types";

const WORDS: Record<Prediction, string> = {
  epsilon: "epsilon",
  v: "v-prediction",
  "v-zero-snr": "v-prediction with zero terminal SNR",
  flow: "rectified flow",
};

export function describePrediction(prediction: Prediction): string {
  return WORDS[prediction];
}

/** What can be set: nothing, so that the files decide, or one of them. */
export const PREDICTION_OPTIONS: { value: Prediction | "files"; label: string }[] = [
  { value: "files", label: "As its files say" },
  ...(Object.keys(WORDS) as Prediction[]).map((value) => ({
    value,
    label: WORDS[value].charAt(0).toUpperCase() + WORDS[value].slice(1),
  })),
];

export const VAE_HELP =
  "A .safetensors file: a path on the server, an https:// address, or hf:OWNER/REPOSITORY:FILE. If empty: the base model's own.";
