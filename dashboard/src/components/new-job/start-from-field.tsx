// The LoRA that a training goes on from, in place of one that changes nothing.
import { useQuery } from "@tanstack/react-query";
import { modelsQuery } from "~/api/queries";
import type { BaseModel } from "~/api/types";
import { Field } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { Reset } from "./reset";
import { startsOf, titleOf } from "./start-from";

interface Props {
  base: BaseModel | undefined;
  bases: BaseModel[];
  /** Id of a model version; empty for none. */
  value: string;
  /** The server's. */
  error: string | undefined;
  onChange: (version: string) => void;
}

/** The value for none: an empty one would be no choice. */
const NONE = "none";

export function StartFromField({ base, bases, value, error, onChange }: Props) {
  const { data: models } = useQuery(modelsQuery());
  const offered = startsOf(models ?? [], base, bases);
  // One that was chosen and is gone, or fits no more, stays chosen: the server says what is wrong with it.
  const isOffered = value === "" || offered.some((version) => version.id === value);
  const strange = models?.flatMap(({ versions }) => versions).find(({ id }) => id === value);
  return (
    <Field
      label="Start from"
      error={error}
      aside={value !== "" && <Reset to="none" onReset={() => onChange("")} />}
      help={
        <>
          A LoRA of your library that the training continues from. It must have the kind, ranks and layers
          that this job trains.
          <span className="mt-0.5 block">
            <b className="font-medium">Why none:</b> A new LoRA brings nothing along from other pictures.
          </span>
          <span className="mt-0.5 block">
            <b className="font-medium">When to change it:</b> To train a finished LoRA for longer, or with
            more pictures.
          </span>
        </>
      }
    >
      {(control) => (
        <Select
          id={control.id}
          describedBy={control["aria-describedby"]}
          value={value || NONE}
          invalid={control["aria-invalid"] ?? false}
          onValueChange={(version) => onChange(version === NONE ? "" : version)}
          options={[
            { value: NONE, label: "None" },
            ...(isOffered ? [] : [{ value, label: strange ? titleOf(strange) : "A LoRA that was deleted" }]),
            ...offered.map((version) => ({
              value: version.id,
              label: titleOf(version),
              detail: [version.base_model, version.imported ? "imported" : version.stage].join(", "),
            })),
          ]}
        />
      )}
    </Field>
  );
}
