// The base model of a new job, with what one should know before training on it.
import type { BaseModel } from "~/api/types";
import { BaseNotes } from "~/components/settings/bases/base-notes";
import { MoreBasesLink } from "~/components/settings/bases/more-bases-link";
import { describePrediction } from "~/components/settings/bases/prediction";
import { Field } from "~/components/ui/field";
import { Select } from "~/components/ui/select";

interface Props {
  bases: BaseModel[];
  value: string;
  error: string | undefined;
  onChange: (name: string) => void;
}

export function BaseField({ bases, value, error, onChange }: Props) {
  const chosen = bases.find(({ name }) => name === value);
  return (
    <div className="min-w-0">
      <Field
        label="Base model"
        error={error}
        aside={<MoreBasesLink offered={bases} />}
        help="The model to train on. The LoRA works with this model and ones derived from it."
      >
        {(control) => (
          <Select
            id={control.id}
            describedBy={control["aria-describedby"]}
            value={value || null}
            invalid={error !== undefined}
            onValueChange={onChange}
            placeholder="Choose a base model"
            options={bases.map((base) => ({ value: base.name, label: base.name, detail: detailOf(base) }))}
          />
        )}
      </Field>
      {chosen && <BaseNotes of={chosen.name} notes={chosen.notes} />}
    </div>
  );
}

export function detailOf({ native_resolution, prediction, built_in }: BaseModel): string {
  const details = [`${native_resolution} px`];
  if (prediction) details.push(describePrediction(prediction));
  if (built_in) details.push("built in");
  return details.join(", ");
}
