// Asks for a new limit: to raise a job's, or to resume it with one.
import type { UseMutationResult } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { ProblemError } from "~/api/problem";
import type { Job } from "~/api/types";
import { Button } from "~/components/ui/button";
import { CarefulForm } from "~/components/ui/careful-form";
import { Dialog } from "~/components/ui/dialog";
import { StartButton } from "~/components/ui/start-button";
import { parseUsd, typedUsd, usdError } from "~/lib/money";
import { useDraft } from "~/lib/use-draft";
import { UsdField } from "./usd-field";

interface Props {
  /** What is typed is kept under this name until it is sent. */
  name: string;
  /** Opens the dialog. */
  trigger: (open: () => void) => ReactElement;
  title: string;
  description?: string;
  action: string;
  /** What the field holds at first, in micro-dollars. */
  limit: number | null;
  /** The minimum. */
  least: number;
  help: string;
  mutation: Pick<UseMutationResult<Job, Error, number>, "mutate" | "reset" | "isPending" | "error">;
  /** The server has accepted the limit. */
  onDone: (limit: number) => void;
}

export function LimitDialog(props: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      {props.trigger(() => {
        props.mutation.reset();
        setOpen(true);
      })}
      <Dialog
        open={open}
        onOpenChange={setOpen}
        title={props.title}
        {...(props.description && { description: props.description })}
        className="max-w-md"
      >
        <LimitForm {...props} onClose={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

function LimitForm(props: Props & { onClose: () => void }) {
  const { limit, least, help, action, mutation, onDone, onClose } = props;
  const draft = useDraft(`limit:${props.name}`, () => ({ text: limit === null ? "" : typedUsd(limit) }));
  const { text } = draft.values;
  const [isTouched, setTouched] = useState(draft.isChanged);
  const wrong = usdError(text, least);
  const start = () => {
    setTouched(true);
    const micro = parseUsd(text);
    if (wrong || micro === null || mutation.isPending) return;
    mutation.mutate(micro, {
      onSuccess: () => {
        draft.done();
        onClose();
        onDone(micro);
      },
    });
  };
  return (
    <CarefulForm className="flex flex-col gap-4 p-4">
      <UsdField
        label="Total limit in dollars"
        value={text}
        onValueChange={(next) => {
          draft.change({ text: next });
          setTouched(true);
        }}
        help={help}
        error={(isTouched && wrong) || refusal(mutation.error)}
        autoFocus
      />
      <div className="flex justify-end gap-2">
        <Button
          onClick={() => {
            draft.discard();
            onClose();
          }}
        >
          Cancel
        </Button>
        <StartButton
          onStart={start}
          variant="primary"
          disabled={mutation.isPending || (isTouched && wrong !== undefined)}
        >
          {action}
        </StartButton>
      </div>
    </CarefulForm>
  );
}

/** The server's message about the field, or about the whole request. */
function refusal(error: Error | null): string | undefined {
  if (!(error instanceof ProblemError)) return error?.message;
  return error.fields.limit_micro_usd ?? error.message;
}
