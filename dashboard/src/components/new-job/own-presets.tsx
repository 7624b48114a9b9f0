// Presets that were saved from jobs, or brought in as files.
import { useQuery } from "@tanstack/react-query";
import { Download, Trash2 } from "lucide-react";
import { describeError } from "~/api/problem";
import { ownPresetsQuery, useDeletePreset, useSavePreset } from "~/api/recipes";
import type { OwnPreset } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { FILE } from "~/components/ui/field";
import { announce, announceError } from "~/components/ui/toast";
import { cn } from "~/lib/cn";
import { formatName } from "~/lib/format";
import { saveFile } from "~/lib/save-file";
import { FAMILY_TITLES } from "./family-field";
import { presetFile, readPresetFile } from "./preset-file";

interface Props {
  onChoose: (preset: OwnPreset) => void;
}

export function OwnPresets({ onChoose }: Props) {
  const { data: presets = [] } = useQuery(ownPresetsQuery());
  const remove = useDeletePreset();
  const save = useSavePreset();
  const bringIn = async (file: File | undefined) => {
    if (!file) return;
    try {
      save.mutate(readPresetFile(await file.text()), {
        onSuccess: ({ name }) => announce(`${name} is among your presets`),
        onError: (error) => announceError("The preset was not saved", error),
      });
    } catch (error) {
      announceError("The file is not a preset", new Error(describeError(error)));
    }
  };
  return (
    <fieldset className="mt-4 min-w-0">
      <legend className="mb-1 font-medium">Your presets</legend>
      {presets.length > 0 && (
        <ul className="mb-2 divide-y rounded-lg border">
          {presets.map((preset) => (
            <li key={preset.id} className="flex flex-wrap items-center gap-2 px-3 py-1.5">
              <span className="wrap-anywhere min-w-0 flex-1">
                {preset.name}
                <span className="block text-muted text-xs">
                  {formatName(preset.preset)}, {FAMILY_TITLES[preset.family]}
                </span>
              </span>
              <Button size="sm" onClick={() => onChoose(preset)}>
                Use
              </Button>
              <Button
                size="icon-sm"
                variant="ghost"
                aria-label={`Save ${preset.name} as a file`}
                onClick={() => saveFile(`${preset.name}.preset.json`, presetFile(preset), "application/json")}
              >
                <Download aria-hidden />
              </Button>
              <Confirm
                trigger={
                  <Button size="icon-sm" variant="ghost" aria-label={`Delete ${preset.name}`}>
                    <Trash2 aria-hidden />
                  </Button>
                }
                title={`Delete ${preset.name}?`}
                description="Jobs that were made with it stay as they are."
                action="Delete the preset"
                onConfirm={() =>
                  remove.mutate(preset.id, {
                    onError: (error) => announceError("The preset was not deleted", error),
                  })
                }
              />
            </li>
          ))}
        </ul>
      )}
      <label className="inline-flex flex-wrap items-center gap-2 text-muted text-xs">
        Add a preset from a file
        <input
          type="file"
          accept=".json,application/json"
          className={cn(FILE, "max-w-60")}
          onChange={({ target }) => {
            void bringIn(target.files?.[0]);
            target.value = "";
          }}
        />
      </label>
    </fieldset>
  );
}
