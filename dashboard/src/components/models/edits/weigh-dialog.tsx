// Makes blocks of a LoRA stronger or weaker.
import type { ModelVersion } from "~/api/types";
import { Field } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { Slider } from "~/components/ui/slider";
import { useDraft } from "~/lib/use-draft";
import { EditDialog } from "./edit-dialog";
import { BLOCKS, newWeigh, type WeighValues, weighRequest } from "./form";
import { NameField } from "./name-field";

const PRESETS: { value: WeighValues["preset"]; label: string; detail: string }[] = [
  { value: "style", label: "Style only", detail: "The block that holds style (B-LoRA), and nothing else" },
  {
    value: "content",
    label: "Content only",
    detail: "The block that holds content (B-LoRA), and nothing else",
  },
  { value: "own", label: "A weight for each block", detail: "0 leaves a block out, 1 leaves it as it is" },
];

export function WeighDialog({ version, onClose }: { version: ModelVersion; onClose: () => void }) {
  const { values, change, discard } = useDraft(`weigh-${version.id}`, newWeigh);
  return (
    <EditDialog
      title={`Weigh the blocks of ${version.name}`}
      description="Parts of the model hold different things: the same LoRA with some of them stronger or weaker."
      action="Weigh"
      begun="The blocks are being weighed"
      onClose={onClose}
      onBegun={discard}
      request={() => weighRequest(version.id, values)}
    >
      {(errors) => (
        <>
          <Field label="Blocks" error={errors.blocks}>
            {(control) => (
              <Select
                id={control.id}
                value={values.preset}
                onValueChange={(preset) => change({ preset })}
                options={PRESETS}
              />
            )}
          </Field>
          {values.preset === "own" && (
            <ul aria-label="Weights of the blocks" className="flex flex-col">
              {BLOCKS.map(([block, holds], at) => (
                <li key={block} className="grid grid-cols-[4rem_minmax(0,8rem)_1fr] items-center gap-x-2">
                  <code className="font-mono text-xs">{block}</code>
                  <span className="truncate text-muted text-xs">{holds}</span>
                  <Slider
                    label={`Weight of ${block}`}
                    value={values.weights[at] ?? 1}
                    onValueChange={(weight) => change({ weights: values.weights.with(at, weight) })}
                    min={0}
                    max={2}
                    step={0.05}
                    format={(value) => value.toFixed(2)}
                  />
                </li>
              ))}
            </ul>
          )}
          <NameField
            value={values.name}
            onChange={(name) => change({ name })}
            otherwise={`it is the next version of ${version.name}`}
            error={errors.name}
          />
        </>
      )}
    </EditDialog>
  );
}
