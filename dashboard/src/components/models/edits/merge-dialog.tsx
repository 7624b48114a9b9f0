// Merges a LoRA with others, or into a base model.
import { useSuspenseQuery } from "@tanstack/react-query";
import { baseModelsQuery, modelsQuery } from "~/api/queries";
import type { MergeMethod, ModelVersion } from "~/api/types";
import { Field, Input } from "~/components/ui/field";
import { Segmented } from "~/components/ui/segmented";
import { Select } from "~/components/ui/select";
import { useDraft } from "~/lib/use-draft";
import { EditDialog } from "./edit-dialog";
import { mergeRequest, newMerge } from "./form";
import { MergeParts } from "./merge-parts";
import { NameField } from "./name-field";
import { ProjectionFields } from "./projection-fields";

const METHODS: { value: MergeMethod; label: string; detail: string }[] = [
  { value: "concatenate", label: "Side by side", detail: "Exact; as wide as all ranks together" },
  { value: "svd", label: "At a smaller rank", detail: "The best approximation of the sum, by SVD" },
  {
    value: "np_lora",
    label: "Style and character (NP-LoRA)",
    detail: "The style stays whole, and the others lose what would disturb it",
  },
];

export function MergeDialog({ version, onClose }: { version: ModelVersion; onClose: () => void }) {
  const { data: models } = useSuspenseQuery(modelsQuery());
  const { data: bases } = useSuspenseQuery(baseModelsQuery());
  const { values, change, discard } = useDraft(`merge-${version.id}`, () => newMerge(version.id));
  const offered = models.flatMap((model) => model.versions).filter((one) => one.stage !== "retired");
  const isInto = values.into !== "";
  const [base] = bases;
  return (
    <EditDialog
      title={`Merge ${version.name} with…`}
      description="The result is a new version, or a base model to use or to download. Nothing is changed in what you have."
      action="Merge"
      begun="The merge has begun"
      onClose={onClose}
      onBegun={discard}
      request={() => mergeRequest(values)}
      disabled={!isInto && values.parts.length < 2}
    >
      {(errors) => (
        <>
          <Segmented
            label="What is made"
            value={isInto ? "base" : "lora"}
            onValueChange={(what) => change({ into: what === "base" ? (base?.name ?? "") : "" })}
            options={[
              { value: "lora", label: "A LoRA" },
              { value: "base", label: "A base model with it" },
            ]}
            className="self-start"
          />
          <MergeParts
            parts={values.parts}
            offered={offered}
            fixed={version.id}
            onChange={(parts) => change({ parts })}
          />
          {isInto ? (
            <Field
              label="Base model"
              help="The LoRAs are added to a copy of it, each at its weight."
              error={errors.base_model}
            >
              {(control) => (
                <Select
                  id={control.id}
                  value={values.into}
                  onValueChange={(into) => change({ into })}
                  options={bases.map(({ name }) => ({ value: name, label: name }))}
                />
              )}
            </Field>
          ) : (
            <>
              <Field label="Method" error={errors.method}>
                {(control) => (
                  <Select
                    id={control.id}
                    value={values.method}
                    onValueChange={(method) => change({ method })}
                    options={METHODS}
                  />
                )}
              </Field>
              {values.method === "svd" && (
                <Field
                  label="Rank"
                  help="Of the result. What is lost is said when it is done; 32 keeps most of two LoRAs."
                  error={errors.rank}
                >
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
              )}
              {values.method === "np_lora" && (
                <ProjectionFields values={values} offered={offered} onChange={change} errors={errors} />
              )}
              <NameField
                value={values.name}
                onChange={(name) => change({ name })}
                otherwise="the first LoRA's"
                error={errors.name}
              />
            </>
          )}
        </>
      )}
    </EditDialog>
  );
}
