// The name of the model that a result becomes a version of.
import { Field, Input } from "~/components/ui/field";

interface Props {
  value: string;
  onChange: (value: string) => void;
  /** The name if the field is left empty. */
  otherwise: string;
  error: string | undefined;
}

export function NameField({ value, onChange, otherwise, error }: Props) {
  return (
    <Field
      label="Name"
      help={`Of the model that the result becomes a version of. If left empty, ${otherwise}.`}
      error={error}
    >
      {(control) => <Input {...control} value={value} onChange={(event) => onChange(event.target.value)} />}
    </Field>
  );
}
