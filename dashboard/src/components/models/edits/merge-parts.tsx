// The LoRAs of a merge, each with its weight.
import { X } from "lucide-react";
import type { ModelVersion } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Select } from "~/components/ui/select";
import { Slider } from "~/components/ui/slider";
import type { Part } from "./form";

interface Props {
  parts: Part[];
  offered: ModelVersion[];
  /** The one that cannot be taken away. */
  fixed: string;
  onChange: (parts: Part[]) => void;
}

export const titleOf = (offered: ModelVersion[], id: string): string => {
  const version = offered.find((one) => one.id === id);
  return version ? `${version.name} v${version.version}` : "Unknown LoRA";
};

export function MergeParts({ parts, offered, fixed, onChange }: Props) {
  const free = offered.filter((version) => !parts.some((part) => part.id === version.id));
  return (
    <section aria-label="LoRAs of the merge" className="flex flex-col gap-2">
      {parts.map((part) => {
        const title = titleOf(offered, part.id);
        return (
          <div key={part.id} className="rounded-md border bg-surface px-2.5 pt-1.5 pb-1">
            <div className="flex min-h-7 items-center justify-between gap-2">
              <span className="truncate font-medium">{title}</span>
              {part.id !== fixed && (
                <Button
                  variant="ghost"
                  size="icon-sm"
                  aria-label={`Remove ${title}`}
                  className="-mr-1.5"
                  onClick={() => onChange(parts.filter((one) => one !== part))}
                >
                  <X aria-hidden />
                </Button>
              )}
            </div>
            <Slider
              label={`Weight of ${title}`}
              value={part.weight}
              onValueChange={(weight) =>
                onChange(parts.map((one) => (one === part ? { ...one, weight } : one)))
              }
              min={-1}
              max={2}
              step={0.05}
              format={(value) => value.toFixed(2)}
            />
          </div>
        );
      })}
      {free.length > 0 && (
        <Select
          label="Add a LoRA"
          value={null}
          onValueChange={(id: string) => onChange([...parts, { id, weight: 1 }])}
          placeholder="Add a LoRA…"
          options={free.map((version) => ({
            value: version.id,
            label: `${version.name} v${version.version}`,
            detail: version.trigger_word ?? version.base_model,
          }))}
        />
      )}
      {free.length === 0 && parts.length < 2 && (
        <p className="text-muted text-xs">There is no other LoRA: train or import one to merge with.</p>
      )}
    </section>
  );
}
