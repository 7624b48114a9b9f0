// One preview picture with settings of its own.
import { Trash2 } from "lucide-react";
import { fields } from "~/api/fields";
import type { Sampler } from "~/api/types";
import { PromptCounter } from "~/components/prompt/counter";
import { Button } from "~/components/ui/button";
import { Field, Input, Textarea } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { formatName } from "~/lib/format";
import { NUMBERS, type NumberName, numberError, type SampleDraft, seedError, USUAL } from "./samples";

const LABELS: Record<NumberName, string> = {
  width: "Width",
  height: "Height",
  n_steps: "Steps",
  guidance: "Guidance",
  lora_weight: "LoRA weight",
};

interface Props {
  /** Its place among all previews, from 1. */
  number: number;
  sample: SampleDraft;
  /** The server's, by field. */
  errors: Record<string, string>;
  onChange: (change: Partial<SampleDraft>) => void;
  onRemove: () => void;
}

export function SampleCard({ number, sample, errors, onChange, onRemove }: Props) {
  const label = (name: string) => `${name} of preview ${number}`;
  return (
    <fieldset className="flex min-w-0 flex-col gap-3 rounded-lg border p-3">
      <legend className="sr-only">Preview {number}</legend>
      <div className="flex items-start gap-2">
        <div className="flex min-w-0 flex-1 flex-col gap-1">
          <Field
            label={`Prompt of preview ${number}`}
            error={errors.prompt}
            help={sample.prompt.trim() === "" && "Write what it shows, or remove it."}
          >
            {(control) => (
              <Textarea
                {...control}
                rows={2}
                value={sample.prompt}
                onChange={({ target }) => onChange({ prompt: target.value })}
              />
            )}
          </Field>
          <PromptCounter prompts={[sample.prompt]} />
        </div>
        <Button variant="ghost" size="icon-sm" aria-label={`Remove preview ${number}`} onClick={onRemove}>
          <Trash2 aria-hidden />
        </Button>
      </div>
      <Field label={label("Negative prompt")} error={errors.negative_prompt}>
        {(control) => (
          <Textarea
            {...control}
            rows={1}
            value={sample.negative_prompt}
            onChange={({ target }) => onChange({ negative_prompt: target.value })}
          />
        )}
      </Field>
      <div className="grid grid-cols-2 gap-3 @xl:grid-cols-4">
        {NUMBERS.map((name) => (
          <Field key={name} label={LABELS[name]} error={numberError(name, sample[name]) ?? errors[name]}>
            {(control) => (
              <Input
                {...control}
                aria-label={label(LABELS[name])}
                inputMode={name === "guidance" || name === "lora_weight" ? "decimal" : "numeric"}
                placeholder={USUAL[name] ?? "Usual"}
                value={sample[name]}
                onChange={({ target }) => onChange({ [name]: target.value })}
              />
            )}
          </Field>
        ))}
        <Field label="Seed" error={seedError(sample.seed) ?? errors.seed}>
          {(control) => (
            <Input
              {...control}
              aria-label={label("Seed")}
              spellCheck={false}
              placeholder="Usual"
              value={sample.seed}
              onChange={({ target }) => onChange({ seed: target.value })}
            />
          )}
        </Field>
        <Field label="Sampler" error={errors.sampler}>
          {(control) => (
            <Select<Sampler | "usual">
              id={control.id}
              label={label("Sampler")}
              value={sample.sampler || "usual"}
              onValueChange={(sampler) => onChange({ sampler: sampler === "usual" ? "" : sampler })}
              options={[
                { value: "usual", label: "Usual" },
                ...fields.SamplePrompt.sampler.options.map((value) => ({ value, label: formatName(value) })),
              ]}
            />
          )}
        </Field>
      </div>
    </fieldset>
  );
}
