// What the LoRA is for. Each card says where its numbers come from.
import { Box, Brush, type LucideIcon, UserRound } from "lucide-react";
import type { Preset, PresetInfo } from "~/api/types";
import { formatCount, formatName, formatParameter } from "~/lib/format";

interface Props {
  presets: PresetInfo[];
  value: Preset;
  onChange: (preset: Preset) => void;
}

const ICONS: Record<Preset, LucideIcon> = { character: UserRound, style: Brush, concept: Box };

export function PresetCards({ presets, value, onChange }: Props) {
  return (
    <fieldset>
      <legend className="sr-only">Preset</legend>
      <div className="grid gap-2 @xl:grid-cols-3">
        {presets.map((info) => {
          const Icon = ICONS[info.preset];
          const { n_views, learning_rate, rank } = info.parameters;
          return (
            <label
              key={info.preset}
              className="relative flex cursor-pointer flex-col gap-1.5 rounded-lg border bg-surface p-3 transition-colors hover:border-line-strong has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-accent has-focus-visible:outline-offset-2"
            >
              <input
                type="radio"
                name="preset"
                value={info.preset}
                checked={value === info.preset}
                onChange={() => onChange(info.preset)}
                className="sr-only"
              />
              <span className="flex items-center gap-2 font-semibold">
                <Icon aria-hidden className="size-4 text-accent" />
                {formatName(info.preset)}
              </span>
              <span>{info.description}</span>
              <span className="mt-auto pt-1 text-xs">
                {formatCount(n_views)} views · {formatParameter(learning_rate)} · rank {rank}
              </span>
            </label>
          );
        })}
      </div>
      <p className="mt-2 text-muted text-xs">{presets.find((info) => info.preset === value)?.source}</p>
    </fieldset>
  );
}
