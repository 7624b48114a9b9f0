// How NP-LoRA keeps a style and a character from disturbing each other.
import type { ModelVersion } from "~/api/types";
import { Field } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { Slider } from "~/components/ui/slider";
import type { MergeValues } from "./form";
import { titleOf } from "./merge-parts";

interface Props {
  values: MergeValues;
  offered: ModelVersion[];
  onChange: (some: Partial<MergeValues>) => void;
  errors: Record<string, string>;
}

export function ProjectionFields({ values, offered, onChange, errors }: Props) {
  const isThere = values.parts.some(({ id }) => id === values.style);
  return (
    <>
      <Field label="The style" help="It stays whole. All others are projected away from it.">
        {(control) => (
          <Select
            id={control.id}
            value={isThere ? values.style : (values.parts[0]?.id ?? null)}
            onValueChange={(style: string) => onChange({ style })}
            options={values.parts.map(({ id }) => ({ value: id, label: titleOf(offered, id) }))}
          />
        )}
      </Field>
      <Field
        label="Strength"
        help="0 is a plain sum; 0.5 is what the authors use. More protects the style, and costs the character likeness."
        error={errors.strength}
      >
        {() => (
          <Slider
            label="Strength of the projection"
            value={values.strength}
            onValueChange={(strength) => onChange({ strength })}
            min={0}
            max={10}
            step={0.1}
            format={(value) => (values.hard ? "all" : value.toFixed(1))}
          />
        )}
      </Field>
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          checked={values.hard}
          onChange={(event) => onChange({ hard: event.target.checked })}
          className="size-4 accent-accent"
        />
        Remove everything along the style's directions, whatever the strength
      </label>
    </>
  );
}
