// A preset of one's own as a file that others can use.
import { fields } from "~/api/fields";
import type { CreateOwnPreset, OwnPreset } from "~/api/types";

/** Says what the file is, so that another JSON file is not taken for one. */
const KIND = "morpheus-preset";

export function presetFile({ name, preset, family, parameters }: OwnPreset): string {
  return `${JSON.stringify({ kind: KIND, name, preset, family, parameters }, null, 2)}\n`;
}

/** Reads a file; the server checks the values. */
export function readPresetFile(text: string): CreateOwnPreset {
  const found: unknown = JSON.parse(text);
  if (typeof found !== "object" || found === null || !("kind" in found) || found.kind !== KIND) {
    throw new Error(`It lacks "kind": "${KIND}".`);
  }
  const { name, preset, family, parameters } = found as Partial<OwnPreset>;
  return {
    name: typeof name === "string" ? name : "",
    preset: preset ?? fields.CreateJob.preset.options[0],
    ...(family && { family }),
    parameters: parameters ?? {},
  };
}
