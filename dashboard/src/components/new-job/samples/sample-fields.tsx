// The preview pictures of a job: prompts on lines, and pictures with settings of their own.
import { Plus } from "lucide-react";
import { fields } from "~/api/fields";
import { PromptCounter } from "~/components/prompt/counter";
import { Button } from "~/components/ui/button";
import { Field, Textarea } from "~/components/ui/field";
import { SampleCard } from "./sample-card";
import { linesError, newSample, promptLines, promptOf, readLine, type SampleDraft } from "./samples";

const MOST = fields.CreateJob.sample_prompts.maxItems;

interface Props {
  /** One prompt on each line. */
  text: string;
  samples: SampleDraft[];
  onChange: (change: { sample_prompts?: string; samples?: SampleDraft[] }) => void;
  /** The server's, by field. */
  errors: Record<string, string>;
}

export function SampleFields({ text, samples, onChange, errors }: Props) {
  const lines = promptLines(text);
  const ofLines = Object.entries(errors).find(([field]) => {
    const index = /^sample_prompts\[(\d+)\]/.exec(field)?.[1];
    return field.startsWith("sample_prompts") && (index === undefined || Number(index) < lines.length);
  });
  return (
    <div className="mt-5 flex flex-col gap-2">
      <Field
        label="Sample prompts"
        error={linesError(text) ?? ofLines?.[1]}
        help={
          <>
            One on each line, also with options as sd-scripts has them:{" "}
            <code>zora --n blurry --w 832 --h 1216 --d 7</code>. If there are none, captions of the dataset
            are used.
          </>
        }
      >
        {(control) => (
          <Textarea
            {...control}
            name="sample_prompts"
            rows={3}
            value={text}
            onChange={({ target }) => onChange({ sample_prompts: target.value })}
          />
        )}
      </Field>
      <PromptCounter prompts={lines.map((line) => promptOf(readLine(line).sample ?? line))} />
      {samples.map((sample, index) => (
        <SampleCard
          key={sample.key}
          number={lines.length + index + 1}
          sample={sample}
          errors={errorsOf(errors, lines.length + index)}
          onChange={(change) =>
            onChange({
              samples: samples.map((one) => (one.key === sample.key ? { ...one, ...change } : one)),
            })
          }
          onRemove={() => onChange({ samples: samples.filter((one) => one.key !== sample.key) })}
        />
      ))}
      <Button
        size="sm"
        className="self-start"
        disabled={lines.length + samples.length >= MOST}
        onClick={() => onChange({ samples: [...samples, newSample()] })}
      >
        <Plus aria-hidden />
        Add a preview with its own settings
      </Button>
    </div>
  );
}

/** The server's errors of one preview, by its fields; what is about all of it is about its prompt. */
function errorsOf(errors: Record<string, string>, index: number): Record<string, string> {
  const at = `sample_prompts[${index}]`;
  const own = Object.entries(errors).filter(([field]) => field === at || field.startsWith(`${at}.`));
  return Object.fromEntries(own.map(([field, error]) => [field.slice(at.length + 1) || "prompt", error]));
}
