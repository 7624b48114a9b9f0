// One hyperparameter: label, help and range from the server's documentation, value from the preset.
import { RotateCcw } from "lucide-react";
import { Field, Input } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { formatName, formatParameter } from "~/lib/format";
import { PARAMETERS, type ParameterName, parameterError, range } from "./form";

interface Props {
  name: ParameterName;
  /** The preset's value. */
  preset: string | number | undefined;
  /** What was typed instead of it. */
  override: string | undefined;
  serverError: string | undefined;
  onChange: (override: string | undefined) => void;
}

export function ParameterField({ name, preset, override, serverError, onChange }: Props) {
  const { description, options, type, default: standard } = PARAMETERS[name];
  const base = formatParameter(preset ?? standard ?? "");
  const changed = override !== undefined && override !== base;
  const set = (text: string) => onChange(text === base ? undefined : text);
  const limits = range(name);
  return (
    <Field
      label={formatName(name)}
      help={[description, limits && `${limits.charAt(0).toUpperCase()}${limits.slice(1)}.`]
        .filter(Boolean)
        .join(" ")}
      error={(override !== undefined && parameterError(name, override)) || serverError}
      aside={
        changed && (
          <button
            type="button"
            onClick={() => onChange(undefined)}
            className="inline-flex items-center gap-1 rounded-sm text-accent underline-offset-2 hover:underline"
          >
            <RotateCcw aria-hidden className="size-3" />
            Preset: {base}
          </button>
        )
      }
    >
      {(control) =>
        options ? (
          <Select
            id={control.id}
            describedBy={control["aria-describedby"]}
            value={override ?? base}
            onValueChange={set}
            options={options.map((value) => ({ value, label: formatName(value) }))}
          />
        ) : (
          <Input
            {...control}
            inputMode={type === "integer" ? "numeric" : "decimal"}
            value={override ?? base}
            onChange={(event) => set(event.target.value)}
          />
        )
      }
    </Field>
  );
}
