// What a picture was drawn with: its own request says it, whatever the form holds now.
import type { Generation, ModelVersion } from "~/api/types";
import { formatDuration, formatName, formatPlural } from "~/lib/format";

/** The LoRAs of a picture with their weights, such as `Zora v2 at 0.80`. */
export function lorasOf(
  { request }: Pick<Generation, "request">,
  versions: readonly Pick<ModelVersion, "id" | "name" | "version">[],
): string[] {
  return (request.loras ?? []).map(({ model_version_id, weight }) => {
    const version = versions.find(({ id }) => id === model_version_id);
    const name = version ? `${version.name} v${version.version}` : "a deleted LoRA";
    return `${name} at ${weight.toFixed(2)}`;
  });
}

/** A picture that was drawn to compare with: it has LoRAs, all of them at weight 0. */
export function isBaseline({ request }: Pick<Generation, "request">): boolean {
  const loras = request.loras ?? [];
  return loras.length > 0 && loras.every(({ weight }) => weight === 0);
}

/** What stands above a picture that is shown as one of `n`: of two, its own weights say which is without LoRAs. */
export function labelOf(generation: Generation | undefined, at: number, n: number): string {
  if (n === 1) return "Picture";
  if (n > 2) return `Picture ${at + 1}`;
  const isWithout = generation
    ? isBaseline(generation) || (generation.request.loras ?? []).length === 0
    : at === 0;
  return isWithout ? "Without the LoRA" : "With the LoRA";
}

/** Seed, steps, guidance and time. */
export function factsOf({ request, duration_ms }: Generation): string {
  return [
    `seed ${request.seed}`,
    `${formatPlural(request.n_steps, "step")} of ${formatName(request.sampler ?? "euler")}`,
    `guidance ${request.guidance}`,
    duration_ms != null &&
      (duration_ms < 10_000 ? `${(duration_ms / 1000).toFixed(1)} s` : formatDuration(duration_ms / 1000)),
  ]
    .filter(Boolean)
    .join(" · ");
}
