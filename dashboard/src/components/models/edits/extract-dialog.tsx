// The difference of two base models as a LoRA.
import { useSuspenseQuery } from "@tanstack/react-query";
import { baseModelsQuery } from "~/api/queries";
import { Field, Input } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { useDraft } from "~/lib/use-draft";
import { EditDialog } from "./edit-dialog";
import { extractRequest, newExtract } from "./form";
import { NameField } from "./name-field";

export function ExtractDialog({ onClose }: { onClose: () => void }) {
  const { data: bases } = useSuspenseQuery(baseModelsQuery());
  const { values, change, discard } = useDraft("extract", newExtract);
  const options = bases.map(({ name }) => ({ value: name, label: name }));
  const choose = (field: "base_model" | "tuned_model", label: string, help: string, error?: string) => (
    <Field label={label} help={help} error={error}>
      {(control) => (
        <Select
          id={control.id}
          value={options.some(({ value }) => value === values[field]) ? values[field] : null}
          onValueChange={(name) => change({ [field]: name })}
          placeholder="Choose a base model"
          options={options}
        />
      )}
    </Field>
  );
  return (
    <EditDialog
      title="Extract a LoRA"
      description="What a fine-tuned base model does beyond another one, as a LoRA. It reads both models, and takes a while."
      action="Extract"
      begun="The extraction has begun"
      onClose={onClose}
      onBegun={discard}
      request={() => extractRequest(values)}
      disabled={values.base_model === "" || values.tuned_model === ""}
    >
      {(errors) => (
        <>
          {choose("tuned_model", "Fine-tuned model", "Whose difference is taken.", errors.tuned_model)}
          {choose("base_model", "Less this base model", "What it was tuned from.", errors.base_model)}
          <Field label="Rank" help="More keeps more of the difference; 64 is usual." error={errors.rank}>
            {(control) => (
              <Input
                {...control}
                inputMode="numeric"
                value={values.rank}
                onChange={(event) => change({ rank: event.target.value })}
                className="w-28"
              />
            )}
          </Field>
          <NameField
            value={values.name}
            onChange={(name) => change({ name })}
            otherwise="“extracted”"
            error={errors.name}
          />
        </>
      )}
    </EditDialog>
  );
}
