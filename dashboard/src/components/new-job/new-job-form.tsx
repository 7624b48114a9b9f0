// The new-job form: what to learn from, what for, and how.
import type { ChangeEvent, ReactNode } from "react";
import { fields } from "~/api/fields";
import type { BaseModel, Dataset, JobEstimate, PresetInfo } from "~/api/types";
import { Field, Input } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { formatName, formatPlural, formatSentence } from "~/lib/format";
import { BaseField } from "./base-field";
import { FamilyField } from "./family-field";
import { answered, imported, priorityError, typedOf, type Values } from "./form";
import { ImportSettings } from "./import-settings";
import { LengthFields } from "./length-fields";
import { OptimizerArguments } from "./optimizer-arguments";
import { OwnPresets } from "./own-presets";
import { ParameterField } from "./parameter-field";
import { ParameterGroups } from "./parameter-groups";
import {
  BASICS,
  type Engine,
  isChanged,
  lack,
  type ParameterName,
  presetText,
  withParameter,
} from "./parameters";
import { PresetCards } from "./preset-cards";
import { Questions } from "./questions";
import { SampleFields } from "./samples/sample-fields";
import { StartFromField } from "./start-from-field";

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
  /** Of these values. */
  estimate: JobEstimate | undefined;
  errors: Record<string, string>;
  /** Sections below. */
  children?: ReactNode;
}

export function NewJobForm(props: Props) {
  const { values, onChange, datasets, bases, presets, estimate, errors, children } = props;
  const preset = presets.find((info) => info.preset === values.preset);
  const chooseDataset = (id: string) => {
    const nameOf = (dataset: string) => datasets.find((one) => one.id === dataset)?.name;
    // A name of one's own stays.
    const isOwn = values.name !== "" && values.name !== nameOf(values.dataset_id);
    onChange({ dataset_id: id, name: isOwn ? values.name : (nameOf(id) ?? "") });
  };
  const text = (name: "name" | "trigger_word" | "priority") => ({
    name,
    value: values[name],
    onChange: ({ target }: ChangeEvent<HTMLInputElement>) => onChange({ [name]: target.value }),
  });
  const set = (name: ParameterName, text: string | undefined) =>
    onChange({ parameters: withParameter(values.parameters, name, text) });
  const parameter = (name: ParameterName) =>
    name === "optimizer_arguments" ? (
      <OptimizerArguments
        key={name}
        optimizer={values.parameters.optimizer ?? preset?.parameters.optimizer ?? ""}
        text={values.parameters[name] ?? presetText(name, preset?.parameters[name])}
        preset={presetText(name, preset?.parameters[name])}
        disabled={lack(name, values.engine) !== undefined}
        error={errors[`parameters.${name}`] && formatSentence(errors[`parameters.${name}`] ?? "")}
        onChange={(text) => set(name, isChanged(name, text, preset?.parameters[name]) ? text : undefined)}
      />
    ) : (
      <ParameterField
        key={name}
        name={name}
        engine={values.engine}
        preset={preset?.parameters[name]}
        override={values.parameters[name]}
        serverError={errors[`parameters.${name}`]}
        onChange={(text) => set(name, text)}
      />
    );

  return (
    <div className="@container flex min-w-0 flex-col gap-7">
      <Section title="Data and model">
        <div className="grid gap-4 @lg:grid-cols-2">
          <Field
            label="Dataset"
            error={errors.dataset_id}
            help="What the LoRA learns from. The job keeps a copy, so later changes of the dataset do not affect it."
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
          <BaseField
            bases={bases}
            value={values.base_model}
            error={errors.base_model}
            onChange={(base_model) => onChange({ base_model, family: "", answers: {} })}
          />
        </div>
      </Section>
      <Section
        title="Purpose"
        aside={<ImportSettings onImport={(recipe) => onChange(imported(values, recipe))} />}
      >
        <PresetCards
          presets={presets}
          value={values.preset}
          onChange={(preset) => onChange({ preset, answers: {} })}
        />
        <FamilyField
          base={bases.find(({ name }) => name === values.base_model)}
          value={values.family}
          onChange={(family) => onChange({ family, answers: {} })}
        />
        <OwnPresets
          onChoose={({ preset, family, parameters }) => {
            const base = bases.find(({ name }) => name === values.base_model);
            onChange({
              preset,
              // Its numbers are meant for that family, unless the base is of another size.
              family: base?.family === family || base?.class === "tiny" ? "" : family,
              parameters: typedOf(parameters),
              n_epochs: "",
              answers: {},
            });
          }}
        />
        {preset?.questions && (
          <Questions
            questions={preset.questions}
            answers={values.answers}
            onAnswer={(question, index) =>
              onChange({
                answers: { ...values.answers, [question.text]: index },
                parameters: answered(values.parameters, question, index, preset.parameters),
              })
            }
          />
        )}
      </Section>
      <Section title="Naming">
        <div className="grid gap-4 @lg:grid-cols-2">
          <Field label="Name" error={errors.name} help={fields.CreateJob.name.description}>
            {(control) => (
              <Input {...control} {...text("name")} maxLength={fields.CreateJob.name.maxLength} required />
            )}
          </Field>
          <Field
            label="Trigger word"
            error={errors.trigger_word}
            help="The word that activates the LoRA in a prompt; put in front of captions that lack it. Take letters that mean nothing yet, such as zora or ntst, without digits. A style may do without."
          >
            {(control) => <Input {...control} {...text("trigger_word")} placeholder="zora" />}
          </Field>
          <Field
            label="Note"
            error={errors.note}
            help="Optional. What you want to find out; shown with the job and where jobs are compared."
            className="@lg:col-span-2"
          >
            {(control) => (
              <Input
                {...control}
                name="note"
                value={values.note ?? ""}
                maxLength={fields.CreateJob.note.maxLength}
                onChange={({ target }) => onChange({ note: target.value })}
              />
            )}
          </Field>
        </div>
      </Section>
      <Section title="Training">
        <LengthFields
          values={values}
          preset={preset?.parameters}
          estimate={estimate}
          errors={errors}
          onChange={onChange}
        />
        <div className="grid gap-x-4 gap-y-5 @lg:grid-cols-2 @min-[44rem]:grid-cols-3">
          <Field
            label="Engine"
            error={errors.engine}
            help="What computes the training. Native needs nothing else; kohya is for GPUs, and for the same results as elsewhere."
          >
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
        <SampleFields
          text={values.sample_prompts}
          samples={values.samples ?? []}
          onChange={onChange}
          errors={errors}
        />
        <ParameterGroups
          typed={values.parameters}
          preset={preset?.parameters}
          errors={errors}
          extras={[
            {
              group: "network",
              label: "Start from",
              isChanged: values.start_from !== "",
              isWrong: errors.start_from !== undefined,
              field: (
                <StartFromField
                  key="start_from"
                  base={bases.find(({ name }) => name === values.base_model)}
                  bases={bases}
                  value={values.start_from}
                  error={errors.start_from}
                  onChange={(start_from) => onChange({ start_from })}
                />
              ),
            },
          ]}
        >
          {parameter}
        </ParameterGroups>
      </Section>
      <Section title="Scheduling">
        <Field
          label="Priority"
          className="@lg:max-w-1/2 @lg:pr-2"
          error={priorityError(values.priority) ?? errors.priority}
          help="From -10 to 10. Waiting jobs with a higher number start first, and the oldest of equals. Leave it at 0 unless a job may wait, or must not."
        >
          {(control) => <Input {...control} {...text("priority")} inputMode="numeric" />}
        </Field>
      </Section>
      {children}
    </div>
  );
}

function Section({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <div className="mb-3 flex flex-wrap items-center justify-between gap-2">
        <h2 className="display text-lg">{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}
