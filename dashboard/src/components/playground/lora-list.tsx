// The LoRAs of a picture, each with its weight.
import { Plus, X } from "lucide-react";
import type { ModelVersion } from "~/api/types";
import { wordsOf } from "~/components/models/usage";
import { Button } from "~/components/ui/button";
import { Select } from "~/components/ui/select";
import { Slider } from "~/components/ui/slider";
import { formatName, formatPlural } from "~/lib/format";
import { LIMITS, type Lora, reaching } from "./form";

interface Props {
  loras: Lora[];
  /** Everything that fits the base. */
  offered: ModelVersion[];
  /** Weights were changed, or one was taken away. */
  onChange: (loras: Lora[]) => void;
  onAdd: (version: ModelVersion) => void;
  /** Takes the settings that the owner of a version says work best. */
  onUse: (version: ModelVersion) => void;
}

export function LoraList({ loras, offered, onChange, onAdd, onUse }: Props) {
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
          <Trigger version={offered.find((one) => one.id === lora.id)} onUse={onUse} />
        </div>
      ))}
      {free.length > 0 ? (
        <Select
          label="Add a LoRA"
          value={null}
          onValueChange={(id: string) => {
            const version = free.find((one) => one.id === id);
            if (version) onAdd(version);
          }}
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
            LoRAs for this base model appear here once one is trained or imported.
          </p>
        )
      )}
    </section>
  );
}

interface TriggerProps {
  version: ModelVersion | undefined;
  onUse: (version: ModelVersion) => void;
}

function Trigger({ version, onUse }: TriggerProps) {
  if (!version) return null;
  const words = wordsOf(version);
  const { weight, sampler, n_steps, guidance, prompt } = version.usage ?? {};
  const said = [
    weight != null && `weight ${weight}`,
    sampler && formatName(sampler),
    n_steps != null && formatPlural(n_steps, "step"),
    guidance != null && `guidance ${guidance}`,
    prompt && "a prompt",
  ].filter(Boolean);
  return (
    <>
      {words.length > 0 && (
        <p className="mb-1 text-muted text-xs">
          {words.length > 1 ? "Trigger words" : "Trigger word"}:{" "}
          <code className="wrap-anywhere font-mono text-text">{words.join(", ")}</code>
        </p>
      )}
      {said.length > 0 && (
        <p className="mb-1 text-muted text-xs">
          Works best with {said.join(", ")}.{" "}
          <button
            type="button"
            className="text-accent underline underline-offset-2"
            onClick={() => onUse(version)}
          >
            Use this
          </button>
        </p>
      )}
    </>
  );
}
