// Edits how a version is used.
import { type FormEvent, useState } from "react";
import { useSetUsage } from "~/api/models";
import { describeError, ProblemError } from "~/api/problem";
import type { ModelVersion, Sampler } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Dialog } from "~/components/ui/dialog";
import { Field, Input, Textarea } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { announce } from "~/components/ui/toast";
import { formatName, formatSentence } from "~/lib/format";
import { formOf, SAMPLERS, type UsageForm, usageOf, wordsOf } from "./usage";

/** No sampler is said. */
const ANY = "any";

export function UsageDialog({ version, onClose }: { version: ModelVersion; onClose: () => void }) {
  const [form, setForm] = useState(() => formOf(version.usage));
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const save = useSetUsage(version.id);
  const refused = save.error instanceof ProblemError ? save.error.fields : {};
  const errors = { ...refused, ...wrong };
  const set = (change: Partial<UsageForm>) => setForm((before) => ({ ...before, ...change }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const read = usageOf(form);
    setWrong("errors" in read ? read.errors : {});
    if (!("usage" in read)) return;
    save.mutate(read.usage, {
      onSuccess: () => {
        announce("Saved how to use it");
        onClose();
      },
    });
  };
  const line = (field: "weight" | "n_steps" | "guidance" | "trigger_words", label: string, help?: string) => (
    <Field label={label} error={errors[field]} help={help}>
      {(control) => (
        <Input
          {...control}
          inputMode={field === "trigger_words" ? "text" : "decimal"}
          value={form[field]}
          onChange={({ target }) => set({ [field]: target.value })}
        />
      )}
    </Field>
  );
  const text = (field: "prompt" | "negative_prompt", label: string) => (
    <Field label={label} error={errors[field]}>
      {(control) => (
        <Textarea
          {...control}
          rows={2}
          value={form[field]}
          onChange={({ target }) => set({ [field]: target.value })}
        />
      )}
    </Field>
  );
  const own = wordsOf({ ...version, usage: null }).join(", ");
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={`How to use version ${version.version}`}
      description="The playground offers these settings when the LoRA is added, and downloads carry them. Leave empty what does not matter."
      className="max-w-xl"
    >
      <form onSubmit={submit} noValidate className="flex flex-col gap-3 p-4">
        {line(
          "trigger_words",
          "Trigger words",
          own ? `With commas between them. Empty means: ${own}` : "With commas between them.",
        )}
        <div className="grid grid-cols-2 gap-3">
          {line("weight", "Weight")}
          <Field label="Sampler" error={errors.sampler}>
            {(control) => (
              <Select
                id={control.id}
                value={form.sampler || ANY}
                onValueChange={(value: string) => set({ sampler: value === ANY ? "" : (value as Sampler) })}
                options={[
                  { value: ANY, label: "Any" },
                  ...SAMPLERS.map((value) => ({ value, label: formatName(value) })),
                ]}
              />
            )}
          </Field>
          {line("n_steps", "Steps")}
          {line("guidance", "Guidance")}
        </div>
        {text("prompt", "Example prompt")}
        {text("negative_prompt", "Example negative prompt")}
        {save.error && Object.keys(refused).length === 0 && (
          <p role="alert" className="text-bad">
            {formatSentence(describeError(save.error))}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" disabled={save.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
