// How settings of jobs differ: a line for each field that is not the same in all of them.
import type { Dataset, Job } from "~/api/types";
import { promptOf, settingsOf } from "~/components/new-job/samples/samples";
import { formatName, formatParameter } from "~/lib/format";

type Recipe = Job["recipe"];

export interface Difference {
  field: string;
  label: string;
  /** One for each recipe, in their order. */
  values: string[];
}

/** The fields in which the recipes are not all alike; names and prompts last, as they change least. */
export function differences(recipes: Recipe[]): Difference[] {
  const parameters = Object.keys(recipes[0]?.parameters ?? {}) as (keyof Recipe["parameters"])[];
  const lines: Difference[] = [
    line("base_model", "Base model", (recipe) => recipe.base_model),
    line("preset", "Preset", (recipe) => formatName(recipe.preset)),
    line("engine", "Engine", (recipe) => formatName(recipe.engine)),
    line("start_from", "Started from", (recipe) => recipe.start_from ?? "none"),
    ...parameters.map((name) =>
      line(`parameters.${name}`, formatName(name), (recipe) => shownValue(recipe.parameters[name])),
    ),
    line("trigger_word", "Trigger word", (recipe) => recipe.trigger_word || "none"),
    line("name", "Name", (recipe) => recipe.name),
    line(
      "sample_prompts",
      "Sample prompts",
      (recipe) => recipe.sample_prompts.map(promptLine).join(" · ") || "none",
    ),
  ];
  return lines.filter(({ values }) => new Set(values).size > 1);

  function line(field: string, label: string, of: (recipe: Recipe) => string): Difference {
    return { field, label, values: recipes.map(of) };
  }
}

/** What jobs were trained on, if that is not the same: with the ends of versions where names do not tell them apart. */
export function datasetLine(jobs: Job[], datasets: Pick<Dataset, "id" | "name">[]): Difference[] {
  if (new Set(jobs.map((job) => job.dataset_version_id)).size < 2) return [];
  const named = jobs.map((job) => ({
    name: datasets.find(({ id }) => id === job.dataset_id)?.name ?? "a deleted dataset",
    version: job.dataset_version_id,
  }));
  const values = named.map(({ name, version }) =>
    named.some((other) => other.name === name && other.version !== version)
      ? `${name} (version …${version.slice(-6)})`
      : name,
  );
  return [{ field: "dataset", label: "Dataset", values }];
}

function promptLine(sample: Recipe["sample_prompts"][number]): string {
  const settings = settingsOf(sample);
  return settings ? `${promptOf(sample)} (${settings})` : promptOf(sample);
}

/** A value of a recipe for people. */
export function shownValue(value: string | number | boolean | string[] | undefined): string {
  if (value === undefined) return "–";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (Array.isArray(value)) return value.join(", ") || "none";
  if (value === "") return "none";
  return typeof value === "string" && /^[a-z0-9_]+$/.test(value) ? formatName(value) : formatParameter(value);
}
