// The LoRAs of a picture, each with its weight.
import { Plus, X } from "lucide-react";
import type { ModelVersion } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Select } from "~/components/ui/select";
import { Slider } from "~/components/ui/slider";
import { LIMITS, type Lora, reaching } from "./form";

interface Props {
  loras: Lora[];
  /** Everything that fits the base. */
  offered: ModelVersion[];
  onChange: (loras: Lora[]) => void;
}

export function LoraList({ loras, offered, onChange }: Props) {
  const free = offered.filter((version) => !loras.some((lora) => lora.id === version.id));
  const title = (id: string) => {
    const version = offered.find((one) => one.id === id);
    return version ? `${version.name} v${version.version}` : "Unknown LoRA";
  };
  return (
    <section aria-label="LoRAs" className="flex flex-col gap-2">
      <h2 className="font-medium">LoRAs</h2>
      {loras.map((lora) => (
        <div key={lora.id} className="rounded-md border bg-surface px-2.5 pt-1.5 pb-1">
          <div className="flex items-center justify-between gap-2">
            <span className="truncate font-medium">{title(lora.id)}</span>
            <Button
              variant="ghost"
              size="icon-sm"
              aria-label={`Remove ${title(lora.id)}`}
              className="-mr-1.5"
              onClick={() => onChange(loras.filter((one) => one !== lora))}
            >
              <X aria-hidden />
            </Button>
          </div>
          <Slider
            label={`Weight of ${title(lora.id)}`}
            value={lora.weight}
            onValueChange={(weight) =>
              onChange(loras.map((one) => (one === lora ? { ...one, weight } : one)))
            }
            {...reaching(lora.weight, LIMITS.weight.min, LIMITS.weight.max)}
            step={0.05}
            format={(value) => value.toFixed(2)}
          />
          <Trigger version={offered.find((one) => one.id === lora.id)} />
        </div>
      ))}
      {free.length > 0 ? (
        <Select
          label="Add a LoRA"
          value={null}
          onValueChange={(id: string) => onChange([...loras, { id, weight: 1 }])}
          placeholder="Add a LoRA…"
          options={free.map((version) => ({
            value: version.id,
            label: `${version.name} v${version.version}`,
            detail: [
              version.imported ? (version.imported.made ? "made" : "imported") : version.stage,
              version.trigger_word,
            ]
              .filter(Boolean)
              .join(", "),
          }))}
        />
      ) : (
        loras.length === 0 && (
          <p className="flex items-center gap-2 text-muted text-xs">
            <Plus aria-hidden className="size-3.5" />
            LoRAs for this base model appear here.
          </p>
        )
      )}
    </section>
  );
}

function Trigger({ version }: { version: ModelVersion | undefined }) {
  const words = version?.imported?.trigger_words ?? [version?.trigger_word ?? ""];
  const said = words.filter(Boolean).join(", ");
  if (said === "") return null;
  return (
    <p className="mb-1 text-muted text-xs">
      {words.length > 1 ? "Trigger words" : "Trigger word"}:{" "}
      <code className="wrap-anywhere font-mono text-text">{said}</code>
    </p>
  );
}
