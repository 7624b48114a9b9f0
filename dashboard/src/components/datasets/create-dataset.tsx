// Names a new dataset and opens it.
import { useNavigate } from "@tanstack/react-router";
import type { FormEvent } from "react";
import { useCreateDataset } from "~/api/datasets";
import { fields } from "~/api/fields";
import { describeError, ProblemError } from "~/api/problem";
import { Button } from "~/components/ui/button";
import { Dialog } from "~/components/ui/dialog";
import { Field, Input } from "~/components/ui/field";
import { useDraft } from "~/lib/use-draft";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function CreateDataset({ open, onOpenChange }: Props) {
  const navigate = useNavigate();
  const create = useCreateDataset();
  const draft = useDraft("create-dataset", () => ({ name: "" }));
  const { name } = draft.values;
  const { error } = create;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (create.isPending || create.isSuccess || name.trim() === "") return;
    create.mutate(name, {
      onSuccess: ({ id }) => {
        draft.done();
        void navigate({ to: "/datasets/$datasetId", params: { datasetId: id } });
      },
    });
  };
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="New dataset" className="max-w-md">
      <form onSubmit={submit} className="flex flex-col gap-4 p-4">
        <Field
          label="Name"
          help="What the pictures show: a character, a style, a prop."
          error={
            error ? (error instanceof ProblemError && error.fields.name) || describeError(error) : undefined
          }
        >
          {(control) => (
            <Input
              {...control}
              value={name}
              onChange={(event) => draft.change({ name: event.target.value })}
              maxLength={fields.CreateDataset.name.maxLength}
              required
            />
          )}
        </Field>
        <div className="flex justify-end gap-2">
          <Button
            onClick={() => {
              draft.discard();
              onOpenChange(false);
            }}
          >
            Cancel
          </Button>
          <Button
            type="submit"
            variant="primary"
            disabled={create.isPending || create.isSuccess || name.trim() === ""}
          >
            Create and add pictures
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
