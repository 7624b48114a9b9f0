// Sets or removes the limit of a project, of everything, or of this month and later ones.
import { type ReactElement, useState } from "react";
import { ProblemError } from "~/api/problem";
import { useSetBudget } from "~/api/spend";
import type { Budget, SetBudget } from "~/api/types";
import { Button } from "~/components/ui/button";
import { CarefulForm } from "~/components/ui/careful-form";
import { Dialog } from "~/components/ui/dialog";
import { Field, Input } from "~/components/ui/field";
import { StartButton } from "~/components/ui/start-button";
import { announce } from "~/components/ui/toast";
import { formatUsd, parseUsd, typedUsd, usdError } from "~/lib/money";
import { useDraft } from "~/lib/use-draft";
import { budgetName } from "./budgets";
import { UsdField } from "./usd-field";

interface Props {
  /** Null for a new project. */
  budget: Budget | null;
  trigger: (open: () => void) => ReactElement;
}

export function BudgetDialog({ budget, trigger }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      {trigger(() => setOpen(true))}
      <Dialog
        open={open}
        onOpenChange={setOpen}
        title={budget ? `Limit of ${budgetName(budget)}` : "Limit a project"}
        description="With a limit below the amount spent, no new machine is rented; running machines keep the money reserved for them."
        className="max-w-md"
      >
        <BudgetForm budget={budget} onDone={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

function BudgetForm({ budget, onDone }: { budget: Budget | null; onDone: () => void }) {
  const set = useSetBudget();
  const known = budget?.limit_micro_usd ?? null;
  const name = budget ? `${budget.scope}:${budget.key}` : "new";
  const draft = useDraft(`budget:${name}`, () => ({
    project: "",
    text: known === null ? "" : typedUsd(known),
  }));
  const { project, text } = draft.values;
  const [isTouched, setTouched] = useState(draft.isChanged);
  const wrong = usdError(text);
  const fields = set.error instanceof ProblemError ? set.error.fields : {};
  const send = (limit_micro_usd: number | null) =>
    set.mutate(request(budget, project, limit_micro_usd), {
      onSuccess: () => {
        draft.done();
        onDone();
        announce(
          limit_micro_usd === null
            ? "The limit is removed"
            : `The limit is now ${formatUsd(limit_micro_usd)}`,
        );
      },
    });
  const start = () => {
    setTouched(true);
    const micro = parseUsd(text);
    if (!wrong && micro !== null && !set.isPending) send(micro);
  };
  return (
    <CarefulForm className="flex flex-col gap-4 p-4">
      {!budget && (
        <Field label="Project" error={fields.key} help="The project name that jobs use.">
          {(control) => (
            <Input
              {...control}
              value={project}
              onChange={(event) => draft.change({ project: event.target.value })}
              maxLength={80}
              placeholder="panels"
            />
          )}
        </Field>
      )}
      <UsdField
        label="Limit in dollars"
        value={text}
        onValueChange={(next) => {
          draft.change({ text: next });
          setTouched(true);
        }}
        error={(isTouched && wrong) || fields.limit_micro_usd || general(set.error)}
      />
      <div className="flex flex-wrap justify-end gap-2">
        {known !== null && (
          <Button variant="danger" className="mr-auto" disabled={set.isPending} onClick={() => send(null)}>
            Remove the limit
          </Button>
        )}
        <Button
          onClick={() => {
            draft.discard();
            onDone();
          }}
        >
          Cancel
        </Button>
        <StartButton
          onStart={start}
          variant="primary"
          disabled={set.isPending || (isTouched && wrong !== undefined) || (!budget && project.trim() === "")}
        >
          Set the limit
        </StartButton>
      </div>
    </CarefulForm>
  );
}

function request(budget: Budget | null, project: string, limit_micro_usd: number | null): SetBudget {
  if (!budget) return { scope: "project", key: project.trim(), limit_micro_usd };
  return { scope: budget.scope, limit_micro_usd, ...(budget.scope === "project" && { key: budget.key }) };
}

/** The server's messages that belong to no field. */
function general(error: Error | null): string | undefined {
  if (error instanceof ProblemError && error.problem.errors?.length) return undefined;
  return error?.message;
}
