// The new-job form: what to learn from, what for, and how.
import { ChevronDown } from "lucide-react";
import type { ChangeEvent, ReactNode } from "react";
import { fields } from "~/api/fields";
import type { BaseModel, Dataset, PresetInfo } from "~/api/types";
import { PromptCounter } from "~/components/prompt/counter";
import { MoreBasesLink } from "~/components/settings/bases/more-bases-link";
import { Field, Input, Textarea } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { formatName, formatPlural } from "~/lib/format";
import {
  ADVANCED,
  BASICS,
  type Engine,
  type ParameterName,
  priorityError,
  promptLines,
  type Values,
} from "./form";
import { ParameterField } from "./parameter-field";
import { PresetCards } from "./preset-cards";

/** What each engine is, for somebody who has to choose. */
const ENGINES: Record<Engine, string> = {
  native: "built in, runs on the CPU",
  kohya: "sd-scripts, on a machine where it is installed",
};

interface Props {
  values: Values;
  onChange: (change: Partial<Values>) => void;
  datasets: Dataset[];
  bases: BaseModel[];
  presets: PresetInfo[];
  errors: Record<string, string>;
  /** Sections below. */
  children?: ReactNode;
}

export function NewJobForm({ values, onChange, datasets, bases, presets, errors, children }: Props) {
  const preset = presets.find((info) => info.preset === values.preset);
  const chooseDataset = (id: string) => {
    const nameOf = (dataset: string) => datasets.find((one) => one.id === dataset)?.name;
    // A name of one's own stays.
    const isOwn = values.name !== "" && values.name !== nameOf(values.dataset_id);
    onChange({ dataset_id: id, name: isOwn ? values.name : (nameOf(id) ?? "") });
  };
  const text = (name: "name" | "trigger_word" | "sample_prompts" | "priority") => ({
    name,
    value: values[name],
    onChange: ({ target }: ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) =>
      onChange({ [name]: target.value }),
  });
  const parameter = (name: ParameterName) => (
    <ParameterField
      key={name}
      name={name}
      preset={preset?.parameters[name]}
      override={values.parameters[name]}
      serverError={errors[`parameters.${name}`]}
      onChange={(text) => onChange({ parameters: withParameter(values.parameters, name, text) })}
    />
  );

  return (
    <div className="flex min-w-0 flex-col gap-7">
      <Section title="Data and model">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label="Dataset"
            error={errors.dataset_id}
            help="Frozen when you start the job; later changes do not affect it."
          >
            {(control) => (
              <Select
                id={control.id}
                describedBy={control["aria-describedby"]}
                value={values.dataset_id || null}
                onValueChange={chooseDataset}
                placeholder="Choose a dataset"
                options={datasets.map(({ id, name, n_items }) => ({
                  value: id,
                  label: name,
                  detail: formatPlural(n_items, "picture"),
                }))}
              />
            )}
          </Field>
          <Field
            label="Base model"
            error={errors.base_model}
            aside={<MoreBasesLink offered={bases} />}
            help="The model to train on. The LoRA works with this model and ones derived from it."
          >
            {(control) => (
              <Select
                id={control.id}
                describedBy={control["aria-describedby"]}
                value={values.base_model || null}
                invalid={errors.base_model !== undefined}
                onValueChange={(base_model) => onChange({ base_model })}
                placeholder="Choose a base model"
                options={bases.map(({ name, native_resolution, built_in }) => ({
                  value: name,
                  label: name,
                  detail: `${native_resolution} px${built_in ? ", built in" : ""}`,
                }))}
              />
            )}
          </Field>
        </div>
      </Section>
      <Section title="Purpose">
        <PresetCards presets={presets} value={values.preset} onChange={(preset) => onChange({ preset })} />
      </Section>
      <Section title="Naming">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Name" error={errors.name} help={fields.CreateJob.name.description}>
            {(control) => (
              <Input {...control} {...text("name")} maxLength={fields.CreateJob.name.maxLength} required />
            )}
          </Field>
          <Field
            label="Trigger word"
            error={errors.trigger_word}
            help={fields.CreateJob.trigger_word.description}
          >
            {(control) => <Input {...control} {...text("trigger_word")} placeholder="zora" />}
          </Field>
        </div>
      </Section>
      <Section title="Training">
        <div className="grid grid-cols-2 gap-x-4 gap-y-5 xl:grid-cols-3">
          <Field label="Engine" error={errors.engine} help={fields.CreateJob.engine.description}>
            {(control) => (
              <Select
                id={control.id}
                describedBy={control["aria-describedby"]}
                value={values.engine}
                onValueChange={(engine) => onChange({ engine })}
                options={fields.CreateJob.engine.options.map((value) => ({
                  value,
                  label: formatName(value),
                  detail: ENGINES[value],
                }))}
              />
            )}
          </Field>
          {BASICS.map(parameter)}
        </div>
        <Field
          label="Sample prompts"
          className="mt-5"
          error={promptError(errors)}
          help={`One on each line. ${fields.CreateJob.sample_prompts.description}`}
        >
          {(control) => <Textarea {...control} {...text("sample_prompts")} rows={3} />}
        </Field>
        <PromptCounter prompts={promptLines(values.sample_prompts)} />
        <details className="group mt-5 rounded-lg border">
          <summary className="flex h-10 list-none items-center gap-2 rounded-lg px-3 font-medium hover:bg-hover">
            <ChevronDown
              aria-hidden
              className="-rotate-90 size-4 text-muted transition-transform group-open:rotate-0"
            />
            Advanced
            <span className="text-muted">{summary(values.parameters)}</span>
          </summary>
          <div className="grid gap-x-4 gap-y-5 border-t p-3 sm:grid-cols-2 xl:grid-cols-3">
            {ADVANCED.map(parameter)}
          </div>
        </details>
      </Section>
      <Section title="Scheduling">
        <Field
          label="Priority"
          className="sm:max-w-1/2 sm:pr-2"
          error={priorityError(values.priority) ?? errors.priority}
          help={fields.CreateJob.priority.description}
        >
          {(control) => <Input {...control} {...text("priority")} inputMode="numeric" />}
        </Field>
      </Section>
      {children}
    </div>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h2 className="display mb-3 text-lg">{title}</h2>
      {children}
    </section>
  );
}

function withParameter(before: Values["parameters"], name: ParameterName, text: string | undefined) {
  const { [name]: _, ...others } = before;
  return text === undefined ? others : { ...others, [name]: text };
}

function summary(parameters: Values["parameters"]): string {
  const n = ADVANCED.filter((name) => parameters[name] !== undefined).length;
  return n > 0 ? `${n} changed` : `${ADVANCED.length} parameters from the preset`;
}

function promptError(errors: Record<string, string>): string | undefined {
  return Object.entries(errors).find(([field]) => field.startsWith("sample_prompts"))?.[1];
}
