// What the chosen optimizer has of its own: a field for each argument.
import { Field, Input } from "~/components/ui/field";
import { formatParameter } from "~/lib/format";
import { type Argument, listed, PARAMETERS } from "./parameters";
import { Reset } from "./reset";

interface Props {
  optimizer: string;
  /** As in its hyperparameter: `d_coef=2, safeguard_warmup=true`. */
  text: string;
  /** The preset's. */
  preset: string;
  disabled: boolean;
  error: string | undefined;
  onChange: (text: string) => void;
}

export function OptimizerArguments({ optimizer, text, preset, disabled, error, onChange }: Props) {
  const known = PARAMETERS.optimizer_arguments.items?.[optimizer] ?? [];
  const said = new Map(listed(text).map(split));
  const names = new Set(known.map(({ name }) => name));
  // Those of another optimizer stay until they are taken out: the server says that they do not fit.
  const strange = [...said.keys()].filter((name) => !names.has(name));
  const set = (name: string, value: string) => {
    const next = new Map(said);
    if (value.trim() === "") next.delete(name);
    else next.set(name, value.trim());
    onChange([...next].map(([name, value]) => `${name}=${value}`).join(", "));
  };
  if (known.length === 0 && strange.length === 0) return null;
  return (
    <fieldset className="min-w-0 @lg:col-span-2 @min-[44rem]:col-span-3">
      <legend className="mb-1 font-medium">Optimizer arguments</legend>
      {text !== preset && (
        <p className="mb-2 text-xs">
          <Reset to={preset || "none"} onReset={() => onChange(preset)} />
        </p>
      )}
      {error && (
        <p role="alert" className="mb-2 text-bad text-xs">
          {error}
        </p>
      )}
      <div className="grid gap-x-4 gap-y-3 @lg:grid-cols-2 @min-[44rem]:grid-cols-3">
        {known.map((argument) => (
          <Field key={argument.name} label={argument.name} help={argument.help}>
            {(control) => (
              <Input
                {...control}
                disabled={disabled}
                placeholder={standard(argument)}
                value={said.get(argument.name) ?? ""}
                onChange={({ target }) => set(argument.name, target.value)}
              />
            )}
          </Field>
        ))}
        {strange.map((name) => (
          <Field key={name} label={name} help="This optimizer has no such setting: clear the field.">
            {(control) => (
              <Input
                {...control}
                value={said.get(name) ?? ""}
                onChange={({ target }) => set(name, target.value)}
              />
            )}
          </Field>
        ))}
      </div>
    </fieldset>
  );
}

function split(item: string): [string, string] {
  const [name = "", ...value] = item.split("=");
  return [name.trim(), value.join("=").trim()];
}

function standard({ default: value }: Argument): string {
  if (value === null) return "no limit";
  return typeof value === "boolean" ? String(value) : formatParameter(value);
}
