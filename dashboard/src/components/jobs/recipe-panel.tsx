// What can be done with the settings of a job: keep them as a preset, and take them to another trainer.
import { BookmarkPlus, FileOutput } from "lucide-react";
import { useState } from "react";
import { describeError, ProblemError } from "~/api/problem";
import { useJobRecipe, useSavePreset } from "~/api/recipes";
import type { Job, RecipeFormat } from "~/api/types";
import { LeftOutList } from "~/components/new-job/left-out";
import { Button } from "~/components/ui/button";
import { Field, Input } from "~/components/ui/field";
import { Panel } from "~/components/ui/panel";
import { Select } from "~/components/ui/select";
import { announce } from "~/components/ui/toast";
import { saveFile } from "~/lib/save-file";

const FORMATS: Record<RecipeFormat, string> = {
  "sd-scripts": "sd-scripts, TOML",
  "sd-scripts-arguments": "sd-scripts, command line",
  "kohya-ss": "kohya_ss, JSON",
  onetrainer: "OneTrainer, JSON",
  "ai-toolkit": "ai-toolkit, YAML",
};

export function RecipePanel({ job }: { job: Job }) {
  return (
    <Panel title="Use these settings elsewhere" className="lg:col-span-2">
      <div className="grid gap-5 sm:grid-cols-2">
        <SavePreset job={job} />
        <ExportRecipe job={job} />
      </div>
    </Panel>
  );
}

function SavePreset({ job }: { job: Job }) {
  const [name, setName] = useState(job.recipe.name);
  const save = useSavePreset();
  const errors = save.error instanceof ProblemError ? save.error.fields : {};
  const error = errors.name ?? (save.error ? describeError(save.error) : undefined);
  return (
    <form
      className="flex flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate({ name, job_id: job.id }, { onSuccess: () => announce(`${name} is among your presets`) });
      }}
    >
      <Field label="Name of the preset" help="Keeps what differs from the preset of this job." error={error}>
        {(control) => (
          <Input
            {...control}
            value={name}
            maxLength={80}
            onChange={({ target }) => {
              setName(target.value);
              save.reset();
            }}
          />
        )}
      </Field>
      <Button type="submit" className="self-start" disabled={name.trim() === "" || save.isPending}>
        <BookmarkPlus aria-hidden />
        Save as a preset
      </Button>
    </form>
  );
}

function ExportRecipe({ job }: { job: Job }) {
  const [format, setFormat] = useState<RecipeFormat>("sd-scripts");
  const recipe = useJobRecipe(job.id);
  const error = recipe.error ? describeError(recipe.error) : undefined;
  return (
    <div className="flex flex-col gap-2">
      <Field label="Other trainer" help="What it has no counterpart for is listed." error={error}>
        {(control) => (
          <Select
            id={control.id}
            describedBy={control["aria-describedby"]}
            value={format}
            onValueChange={(next) => {
              setFormat(next);
              recipe.reset();
            }}
            options={(Object.keys(FORMATS) as RecipeFormat[]).map((value) => ({
              value,
              label: FORMATS[value],
            }))}
          />
        )}
      </Field>
      <Button
        className="self-start"
        disabled={recipe.isPending}
        onClick={() =>
          recipe.mutate(format, { onSuccess: ({ file_name, text }) => saveFile(file_name, text) })
        }
      >
        <FileOutput aria-hidden />
        Save as a file
      </Button>
      {recipe.data && <LeftOutList items={recipe.data.left_out} />}
    </div>
  );
}
