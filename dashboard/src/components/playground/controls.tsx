// Everything that makes a picture.
import { WandSparkles } from "lucide-react";
import type { BaseModel, ModelVersion } from "~/api/types";
import { PromptCounter } from "~/components/prompt/counter";
import { MoreBasesLink } from "~/components/settings/bases/more-bases-link";
import { CarefulForm } from "~/components/ui/careful-form";
import { Field, Textarea } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { Slider } from "~/components/ui/slider";
import { StartButton } from "~/components/ui/start-button";
import { formatName } from "~/lib/format";
import {
  addLora,
  byName,
  fits,
  hasLora,
  LIMITS,
  reaching,
  SAMPLERS,
  sizeKey,
  sizes,
  suggestedBy,
  type Values,
} from "./form";
import { LoraList } from "./lora-list";
import { SeedField } from "./seed-field";
import type { Place } from "./session/sessions";

/** The server's own machine, in the list of sessions. */
const HERE = "here";

interface Props {
  values: Values;
  onChange: (change: Partial<Values>) => void;
  bases: BaseModel[];
  versions: ModelVersion[];
  /** Sessions that may draw, the chosen one among them. */
  places: Place[];
  errors: Record<string, string>;
  busy: boolean;
  onGenerate: () => void;
}

export function Controls({ values, onChange, bases, versions, places, errors, busy, onGenerate }: Props) {
  const base = bases.find((one) => one.name === values.base_model);
  const offered = versions.filter((one) => fits(one, base) && one.stage !== "retired").toSorted(byName);
  const native = base?.native_resolution ?? 1024;
  return (
    <CarefulForm
      className="flex flex-col gap-4"
      onKeyDown={(event) => {
        const isMeant = event.key === "Enter" && (event.ctrlKey || event.metaKey);
        if (isMeant && !event.repeat) onGenerate();
      }}
    >
      <Field label="Prompt" error={errors.prompt}>
        {(control) => (
          <Textarea
            {...control}
            rows={4}
            value={values.prompt}
            onChange={(event) => onChange({ prompt: event.target.value })}
            placeholder="Describe the picture, with the trigger word of your LoRA"
          />
        )}
      </Field>
      <PromptCounter
        prompts={[values.prompt]}
        literal={values.literal}
        takesLoras
        baseModel={values.base_model}
      />
      <Field label="Negative prompt" error={errors.negative_prompt}>
        {(control) => (
          <Textarea
            {...control}
            rows={1}
            value={values.negative_prompt}
            onChange={(event) => onChange({ negative_prompt: event.target.value })}
            placeholder="What to avoid: lowres, bad anatomy, text"
          />
        )}
      </Field>
      <PromptCounter prompts={[values.negative_prompt]} literal={values.literal} />
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          checked={values.literal}
          onChange={(event) => onChange({ literal: event.target.checked })}
          className="size-4 accent-accent"
        />
        Read brackets as letters
      </label>
      <LoraList
        loras={values.loras}
        offered={offered}
        onChange={(loras) => onChange({ loras })}
        onAdd={(version) => onChange(addLora(values, version))}
        onUse={(version) => onChange(suggestedBy(values, version))}
      />
      {hasLora(values) && (
        <label className="flex items-center gap-2">
          <input
            type="checkbox"
            checked={values.compare}
            onChange={(event) => onChange({ compare: event.target.checked })}
            className="size-4 accent-accent"
          />
          Also show it without LoRAs
        </label>
      )}
      {places.length > 0 && (
        <Field label="Draw on" error={errors.drawing_session_id}>
          {(control) => (
            <Select
              id={control.id}
              value={values.session ?? HERE}
              onValueChange={(id) => onChange({ session: id === HERE ? null : id })}
              options={[{ value: HERE, label: "This machine" }, ...places]}
            />
          )}
        </Field>
      )}
      <StartButton
        onStart={onGenerate}
        variant="primary"
        disabled={busy || values.prompt.trim() === ""}
        // However many LoRAs stand above it, it is on the first screen; above the bar of a phone.
        className="sticky bottom-[calc(4.25rem+env(safe-area-inset-bottom))] z-10 h-9 md:bottom-4"
      >
        <WandSparkles aria-hidden />
        {busy ? "Rendering…" : "Generate"}
      </StartButton>
      <div className="grid grid-cols-2 gap-3 border-t pt-4">
        <Field
          label="Base model"
          error={errors.base_model}
          aside={<MoreBasesLink offered={bases} />}
          className="col-span-2"
        >
          {(control) => (
            <Select
              id={control.id}
              value={values.base_model}
              onValueChange={(base_model) => onChange({ base_model, loras: [], side: null })}
              options={bases.map(({ name }) => ({ value: name, label: name }))}
            />
          )}
        </Field>
        <SeedField values={values} onChange={onChange} error={errors.seed} />
        <Labeled
          label="Steps"
          error={errors.n_steps}
          help="20 to 30 are usual. More take longer and change little."
        >
          <Slider
            label="Steps"
            value={values.n_steps}
            onValueChange={(n_steps) => onChange({ n_steps })}
            {...reaching(values.n_steps, LIMITS.n_steps.minimum, 60)}
            step={1}
          />
        </Labeled>
        <Labeled
          label="Guidance"
          error={errors.guidance}
          help="How closely the picture follows the prompt. 5 to 7 are usual; more looks harsh."
        >
          <Slider
            label="Guidance"
            value={values.guidance}
            onValueChange={(guidance) => onChange({ guidance })}
            {...reaching(values.guidance, LIMITS.guidance.minimum, 15)}
            step={0.5}
            format={(value) => value.toFixed(1)}
          />
        </Labeled>
        <Field
          label="Size"
          error={errors.width ?? errors.height}
          help="Sizes that the base model knows. Much larger ones repeat figures."
        >
          {(control) => (
            <Select
              id={control.id}
              describedBy={control["aria-describedby"]}
              value={sizeKey(values.side, native)}
              onValueChange={(value) => onChange({ side: parseSide(value) })}
              options={sizeOptions(values.side, native)}
            />
          )}
        </Field>
        <Field
          label="Sampler"
          error={errors.sampler}
          help="Euler A is usual for Illustrious and Pony. DPM++ 2M gets by with fewer steps."
        >
          {(control) => (
            <Select
              id={control.id}
              describedBy={control["aria-describedby"]}
              value={values.sampler}
              onValueChange={(sampler) => onChange({ sampler })}
              options={SAMPLERS.map((value) => ({ value, label: formatName(value) }))}
            />
          )}
        </Field>
      </div>
    </CarefulForm>
  );
}

interface LabeledProps {
  label: string;
  help: string;
  error: string | undefined;
  children: React.ReactNode;
}

function Labeled({ label, help, error, children }: LabeledProps) {
  return (
    <div className="flex flex-col gap-1">
      <span aria-hidden className="font-medium">
        {label}
      </span>
      {children}
      {error && (
        <p role="alert" className="text-bad text-xs">
          {error}
        </p>
      )}
      <p className="text-muted text-xs">{help}</p>
    </div>
  );
}

function sizeOptions(side: Values["side"], native: number) {
  const offered = sizes(native).map(({ label, width, height }, index) => ({
    value: index === 0 ? "native" : `${width}x${height}`,
    label: `${label}, ${width}×${height}`,
  }));
  const value = sizeKey(side, native);
  // A picture from elsewhere may have any size.
  if (!side || offered.some((one) => one.value === value)) return offered;
  return [...offered, { value, label: `${side.width}×${side.height}` }];
}

function parseSide(value: string): Values["side"] {
  const [width, height] = value.split("x").map(Number);
  return width && height ? { width, height } : null;
}
