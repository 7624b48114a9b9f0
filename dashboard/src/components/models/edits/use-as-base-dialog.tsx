// Registers what an edit has merged LoRAs into as a base model. Its file stays where it is.
import { type FormEvent, useState } from "react";
import { useRegisterBase } from "~/api/bases";
import { describeError, ProblemError } from "~/api/problem";
import { Button } from "~/components/ui/button";
import { Dialog } from "~/components/ui/dialog";
import { Field, Input } from "~/components/ui/field";
import { announce } from "~/components/ui/toast";
import { formatSentence } from "~/lib/format";
import { stillWrong } from "~/lib/still-wrong";
import { baseNameOf, baseRequest } from "./form";

interface Props {
  editId: string;
  fileName: string;
  onClose: () => void;
}

export function UseAsBaseDialog({ editId, fileName, onClose }: Props) {
  const register = useRegisterBase();
  const [name, setName] = useState(() => baseNameOf(fileName));
  const request = baseRequest(editId, name);
  const refused = register.error instanceof ProblemError ? register.error.fields : {};
  const errors = stillWrong(refused, register.variables, request);
  // The file may be gone, which no field of the form can mend.
  const elsewhere = errors.source ?? (register.error && !refused.name ? describeError(register.error) : null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() === "" || register.isPending) return;
    register.mutate(request, {
      onSuccess: () => {
        announce(`${request.name} is being checked`);
        onClose();
      },
    });
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title="Use it as a base model"
      description="Jobs and the playground can use it, on every machine. Its file is kept until you remove the base model under Settings."
    >
      <form onSubmit={submit} noValidate className="flex flex-col gap-4 p-4">
        <Field label="Name" help="What jobs and the playground call it." error={errors.name}>
          {(control) => (
            <Input
              {...control}
              value={name}
              onChange={(event) => setName(event.target.value)}
              spellCheck={false}
              autoCapitalize="off"
            />
          )}
        </Field>
        {elsewhere && (
          <p role="alert" className="wrap-anywhere text-bad">
            {formatSentence(elsewhere)}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" disabled={name.trim() === "" || register.isPending}>
            Use it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
