// The frame of the forms that make a file out of others: fields, what is wrong, and the button that starts.
import type { FormEvent, ReactNode } from "react";
import { useMakeEdit } from "~/api/edits";
import { describeError, ProblemError } from "~/api/problem";
import type { CreateEdit } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Dialog } from "~/components/ui/dialog";
import { announce } from "~/components/ui/toast";
import { formatSentence } from "~/lib/format";
import { stillWrong } from "~/lib/still-wrong";

interface Props {
  title: string;
  description: string;
  /** On the button. */
  action: string;
  /** Said when it has begun. */
  begun: string;
  onClose: () => void;
  /** Of what is filled in. */
  request: () => CreateEdit;
  /** The request is sent. */
  onBegun?: () => void;
  disabled?: boolean;
  children: (errors: Record<string, string>) => ReactNode;
}

export function EditDialog(props: Props) {
  const { title, description, action, begun, onClose, request, onBegun, disabled = false, children } = props;
  const make = useMakeEdit();
  const refused = make.error instanceof ProblemError ? make.error.fields : {};
  const errors = make.error ? stillWrong(refused, make.variables, request()) : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (disabled || make.isPending) return;
    make.mutate(request(), {
      onSuccess: () => {
        announce(begun);
        onBegun?.();
        onClose();
      },
    });
  };
  // What no field of the form shows.
  const others = Object.entries(errors).filter(([field]) => field.startsWith("loras"));
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={title}
      description={description}
      className="max-w-xl"
    >
      <form onSubmit={submit} noValidate className="flex flex-col gap-4 p-4">
        {children(errors)}
        {make.error && (others.length > 0 || Object.keys(refused).length === 0) && (
          <p role="alert" className="wrap-anywhere text-bad">
            {others.length > 0
              ? others.map(([, message]) => formatSentence(`a LoRA ${message}`)).join(" ")
              : formatSentence(describeError(make.error))}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" disabled={disabled || make.isPending}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
