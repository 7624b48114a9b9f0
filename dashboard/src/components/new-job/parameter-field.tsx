// One hyperparameter: label, help and range from the server's documentation, value from the preset, and why.
import { Field, Input } from "~/components/ui/field";
import { Said } from "~/components/ui/said";
import { Select } from "~/components/ui/select";
import { formatName, formatSentence } from "~/lib/format";
import {
  type Engine,
  isChanged,
  lack,
  PARAMETERS,
  type ParameterName,
  type ParameterValue,
  parameterError,
  presetText,
  range,
} from "./parameters";
import { Reset } from "./reset";

interface Props {
  name: ParameterName;
  engine: Engine;
  /** The preset's value. */
  preset: ParameterValue | undefined;
  /** What was typed instead of it. */
  override: string | undefined;
  serverError: string | undefined;
  onChange: (override: string | undefined) => void;
}

const SWITCH = ["false", "true"];

export function ParameterField({ name, engine, preset, override, serverError, onChange }: Props) {
  const { options, type } = PARAMETERS[name];
  const base = presetText(name, preset);
  const changed = isChanged(name, override, preset);
  const set = (text: string) => onChange(text === base ? undefined : text);
  const missing = lack(name, engine);
  const words = type === "boolean" ? SWITCH : options;
  return (
    <Field
      label={formatName(name)}
      help={<Help name={name} base={shown(type, base)} />}
      error={(override !== undefined && parameterError(name, override)) || serverError}
      aside={
        changed ? <Reset to={shown(type, base) || "none"} onReset={() => onChange(undefined)} /> : missing
      }
    >
      {(control) =>
        words ? (
          <Select
            id={control.id}
            describedBy={control["aria-describedby"]}
            value={override ?? base}
            disabled={missing !== undefined && !changed}
            onValueChange={set}
            options={words.map((value) => {
              const detail = lack(name, engine, value);
              return { value, label: shown(type, value), ...(detail && { detail, disabled: true }) };
            })}
          />
        ) : (
          <Input
            {...control}
            inputMode={inputMode(type)}
            placeholder={type === "array" || type === "string" ? "none" : undefined}
            disabled={missing !== undefined && !changed}
            value={override ?? base}
            onChange={(event) => set(event.target.value)}
          />
        )
      }
    </Field>
  );
}

/** What it does, which values it takes, why it is what it is, and when to change it. */
function Help({ name, base }: { name: ParameterName; base: string }) {
  const { description, type, why, when } = PARAMETERS[name];
  const limits = range(name);
  return (
    <>
      <Said>
        {[description, limits && formatSentence(limits), type === "array" && "Commas between them."]
          .filter(Boolean)
          .join(" ")}
      </Said>
      {why && (
        <span className="mt-0.5 block">
          <b className="font-medium">Why {base === "" ? "none" : base}:</b> <Said>{why}</Said>
        </span>
      )}
      {when && (
        <span className="mt-0.5 block">
          <b className="font-medium">When to change it:</b> <Said>{when}</Said>
        </span>
      )}
    </>
  );
}

function shown(type: string | undefined, text: string): string {
  if (type === "boolean") return text === "true" ? "On" : "Off";
  return type === "string" && /^[a-z0-9_]+$/.test(text) ? formatName(text) : text;
}

function inputMode(type: string | undefined): "numeric" | "decimal" | "text" {
  if (type === "integer") return "numeric";
  return type === "number" ? "decimal" : "text";
}
