// Asks for a new limit: to raise a job's, or to resume it with one.
import { type ReactElement, useState } from "react";
import { ProblemError } from "~/api/problem";
import { Button } from "~/components/ui/button";
import { Dialog } from "~/components/ui/dialog";
import { parseUsd, typedUsd, usdError } from "~/lib/money";
import { UsdField } from "./usd-field";

interface Props {
  /** Opens the dialog. */
  trigger: (open: () => void) => ReactElement;
  title: string;
  description?: string;
  action: string;
  /** What the field holds at first, in micro-dollars. */
  limit: number | null;
  /** The smallest that may be. */
  least: number;
  help: string;
  pending: boolean;
  error: Error | null;
  onSubmit: (limit: number, done: () => void) => void;
}

export function LimitDialog(props: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      {props.trigger(() => setOpen(true))}
      <Dialog
        open={open}
        onOpenChange={setOpen}
        title={props.title}
        {...(props.description && { description: props.description })}
        className="max-w-md"
      >
        <LimitForm {...props} onDone={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

function LimitForm({
  limit,
  least,
  help,
  action,
  pending,
  error,
  onSubmit,
  onDone,
}: Props & { onDone: () => void }) {
  const [text, setText] = useState(limit === null ? "" : typedUsd(limit));
  const [isTouched, setTouched] = useState(false);
  const wrong = usdError(text, least);
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setTouched(true);
        const micro = parseUsd(text);
        if (!wrong && micro !== null) onSubmit(micro, onDone);
      }}
      className="flex flex-col gap-4 p-4"
    >
      <UsdField
        label="Limit in all, in dollars"
        value={text}
        onValueChange={(next) => {
          setText(next);
          setTouched(true);
        }}
        help={help}
        error={(isTouched && wrong) || refusal(error)}
        autoFocus
      />
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Keep</Button>
        <Button type="submit" variant="primary" disabled={pending || (isTouched && wrong !== undefined)}>
          {action}
        </Button>
      </div>
    </form>
  );
}

/** The server's words about the field, or about all of it. */
function refusal(error: Error | null): string | undefined {
  if (!(error instanceof ProblemError)) return error?.message;
  return error.fields.limit_micro_usd ?? error.message;
}
