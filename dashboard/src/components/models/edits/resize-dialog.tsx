// Cuts a LoRA to a smaller rank; of a LoHa, LoKr or DoRA it makes a plain LoRA.
import type { KeepBy, ModelVersion } from "~/api/types";
import { Field, Input } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { useDraft } from "~/lib/use-draft";
import { EditDialog } from "./edit-dialog";
import { newResize, resizeRequest } from "./form";
import { NameField } from "./name-field";

const RULES: { value: KeepBy | "none"; label: string; detail: string }[] = [
  { value: "none", label: "The rank alone", detail: "Every module gets this rank" },
  {
    value: "frobenius",
    label: "A share of the norm",
    detail: "Of each module's Frobenius norm, such as 0.95",
  },
  {
    value: "cumulative",
    label: "A share of the sum",
    detail: "Of each module's singular values, such as 0.8",
  },
  { value: "ratio", label: "A ratio", detail: "Values larger than the largest over this, such as 20" },
];

export function ResizeDialog({ version, onClose }: { version: ModelVersion; onClose: () => void }) {
  const { values, change, discard } = useDraft(`resize-${version.id}`, newResize);
  return (
    <EditDialog
      title={`Resize ${version.name}`}
      description="A smaller file that does nearly the same. A LoHa, LoKr or DoRA becomes a plain LoRA. What is lost is said when it is done."
      action="Resize"
      begun="The resize has begun"
      onClose={onClose}
      onBegun={discard}
      request={() => resizeRequest(version.id, values)}
    >
      {(errors) => (
        <>
          <Field
            label="Largest rank"
            help={
              version.imported?.rank_max
                ? `It has up to ${version.imported.rank_max} now. Nothing grows.`
                : "Nothing grows beyond what it has."
            }
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
          <Field label="What chooses the rank" error={errors.keep_by}>
            {(control) => (
              <Select
                id={control.id}
                value={values.keep_by === "" ? "none" : values.keep_by}
                onValueChange={(rule) => change({ keep_by: rule === "none" ? "" : rule })}
                options={RULES}
              />
            )}
          </Field>
          {values.keep_by !== "" && (
            <Field
              label={values.keep_by === "ratio" ? "Ratio" : "Share"}
              help={values.keep_by === "ratio" ? "Above 1." : "Above 0, at most 1."}
              error={errors.keep}
            >
              {(control) => (
                <Input
                  {...control}
                  inputMode="decimal"
                  value={values.keep}
                  onChange={(event) => change({ keep: event.target.value })}
                  className="w-28"
                />
              )}
            </Field>
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
