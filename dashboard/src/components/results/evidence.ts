// The pictures of a judgement: what the base model draws beside what the LoRA makes of it.
import type { Evidence, EvidencePicture, Judgement, Stamp } from "~/api/types";

export interface Shot {
  evidence: Evidence;
  url: string;
}

/** Pictures of one prompt and seed, the base model's first, then by weight. */
export interface Strip {
  key: string;
  prompt: string;
  seed: number;
  shots: Shot[];
  /** Id or file name of the training picture that is shown beside them. */
  nearest: string | null;
}

/** The picture that was found nearest to a training picture. */
const NEAREST = "nearest";
/** What pictures without the trigger word, and of other subjects, are called. */
const NOT_MEANT = ["plain", "other"];

/** What shows the stamp best comes first, the rest in the order of the judgement. What is not stored is left out. */
export function stripsOf({ stamp, evidence }: Judgement, pictures: EvidencePicture[]): Strip[] {
  const urls = new Map(pictures.map(({ name, url }) => [name, url]));
  const strips = new Map<string, Strip>();
  for (const one of evidence) {
    const url = urls.get(one.name);
    if (url === undefined) continue;
    const { prompt, seed } = one;
    const key = `${seed} ${prompt}`;
    const strip = strips.get(key) ?? { key, prompt, seed, shots: [], nearest: null };
    // One weight of one seed is one picture, whatever it is named for.
    if (strip.shots.every(({ evidence: { weight } }) => weight !== one.weight)) {
      strip.shots.push({ evidence: one, url });
    }
    if (one.nearest && (one.name === NEAREST || stamp === "copies")) strip.nearest = one.nearest;
    strips.set(key, strip);
  }
  for (const { shots } of strips.values()) shots.sort((a, b) => a.evidence.weight - b.evidence.weight);
  return [...strips.values()].sort((a, b) => Number(shows(b, stamp)) - Number(shows(a, stamp)));
}

function shows({ shots, nearest }: Strip, stamp: Stamp): boolean {
  switch (stamp) {
    case "copies":
      return nearest !== null;
    case "bleeds":
      return shots.some(({ evidence: { name } }) => NOT_MEANT.some((kind) => name.startsWith(kind)));
    default:
      return false;
  }
}
