// How long a training is: in views, steps or epochs. One is typed, and the others follow.
import type { JobEstimate, Parameters } from "~/api/types";
import { Field, Input } from "~/components/ui/field";
import { epochsError, lengthOf, type Values } from "./form";
import { PARAMETERS, parameterError, withParameter } from "./parameters";
import { Reset } from "./reset";

interface Props {
  values: Values;
  preset: Parameters | undefined;
  /** Of these values, once the server has counted. */
  estimate: JobEstimate | undefined;
  errors: Record<string, string>;
  onChange: (change: Partial<Values>) => void;
}

type Unit = "n_views" | "n_steps" | "n_epochs";

const HELP: Record<Unit, string> = {
  n_views: "Pictures seen, each counted again every time. It means the same at every batch size.",
  n_steps: "Steps of the optimizer: views divided by the pictures of a step.",
  n_epochs: "How often the whole dataset is seen.",
};

export function LengthFields({ values, preset, estimate, errors, onChange }: Props) {
  const { parameters: typed, n_epochs } = values;
  const isInEpochs = n_epochs !== "";
  const length = lengthOf(typed, preset);
  const counted = estimate?.recipe.parameters.n_steps;
  const shown: Record<Unit, string> = {
    n_views: text(isInEpochs ? estimate?.n_views : length.n_views),
    n_steps: text(isInEpochs ? counted : length.n_steps),
    n_epochs: text(estimate?.n_epochs),
  };
  const own: Record<Unit, string | undefined> = {
    n_views: typed.n_views,
    n_steps: typed.n_steps,
    n_epochs: isInEpochs ? n_epochs : undefined,
  };
  const error = (unit: Unit) => {
    const typedHere = own[unit];
    if (typedHere === undefined) return undefined;
    return unit === "n_epochs" ? epochsError(typedHere) : parameterError(unit, typedHere);
  };
  const change = (unit: Unit, to: string) => {
    const others = withParameter(withParameter(typed, "n_steps", undefined), "n_views", undefined);
    if (unit === "n_epochs") {
      onChange({ n_epochs: to, parameters: others });
      return;
    }
    const isPreset = unit === "n_views" && preset !== undefined && to === String(preset.n_views);
    onChange({ n_epochs: "", parameters: isPreset ? others : withParameter(others, unit, to) });
  };
  const usual = preset && (preset.n_views > 0 ? `${preset.n_views} views` : `${preset.n_steps} steps`);
  const reset = usual && (
    <Reset
      to={usual}
      onReset={() =>
        onChange({
          n_epochs: "",
          parameters: withParameter(withParameter(typed, "n_steps", undefined), "n_views", undefined),
        })
      }
    />
  );
  const unit = (name: Unit, label: string) => (
    <Field
      label={label}
      aside={own[name] === undefined ? shown[name] !== "" && "calculated" : reset}
      error={error(name) ?? errors[name === "n_epochs" ? name : `parameters.${name}`]}
      help={HELP[name]}
    >
      {(control) => (
        <Input
          {...control}
          inputMode="numeric"
          value={own[name] ?? shown[name]}
          onChange={({ target }) => change(name, target.value)}
        />
      )}
    </Field>
  );
  const { why, when } = PARAMETERS.n_views;
  return (
    <fieldset className="mb-5 min-w-0">
      <legend className="mb-1 font-medium">Length</legend>
      <div className="grid gap-x-4 gap-y-3 rounded-lg border p-3 @lg:grid-cols-3">
        {unit("n_views", "Views")}
        {unit("n_steps", "Steps")}
        {unit("n_epochs", "Epochs")}
        <p className="text-muted text-xs @lg:col-span-3">
          Enter any one of the three. {why} {when}
        </p>
      </div>
    </fieldset>
  );
}

function text(value: number | null | undefined): string {
  return value == null ? "" : String(value);
}
