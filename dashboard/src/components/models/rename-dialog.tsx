// Renames a model.
import { type FormEvent, useState } from "react";
import { useRenameModel } from "~/api/models";
import { describeError, ProblemError } from "~/api/problem";
import type { Model } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Dialog } from "~/components/ui/dialog";
import { Field, Input } from "~/components/ui/field";

export function RenameDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const [name, setName] = useState(model.name);
  const rename = useRenameModel(model.id);
  const refused = rename.error instanceof ProblemError ? rename.error.fields.name : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    rename.mutate(name.trim(), { onSuccess: onClose });
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title="Rename the model"
      description="A job keeps the name that it was started with: its result goes to the model that has it then."
    >
      <form onSubmit={submit} noValidate className="flex flex-col gap-4 p-4">
        <Field label="Name" error={rename.error ? (refused ?? describeError(rename.error)) : undefined}>
          {(control) => (
            <Input
              {...control}
              value={name}
              maxLength={80}
              onChange={({ target }) => setName(target.value)}
            />
          )}
        </Field>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" disabled={name.trim() === "" || rename.isPending}>
            Rename
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
