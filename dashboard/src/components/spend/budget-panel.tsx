// Budgets: what is used of each, and the forms that set and take away their limits.
import { Plus } from "lucide-react";
import type { Budget } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Panel } from "~/components/ui/panel";
import { formatUsd, formatUsdUp } from "~/lib/money";
import { BudgetDialog } from "./budget-dialog";
import { type Budgets, budgetName } from "./budgets";
import { LimitBar } from "./limit-bar";

export function BudgetPanel({ budgets }: { budgets: Budgets }) {
  const { user, month, projects, earlier } = budgets;
  return (
    <Panel
      title="Budgets"
      bodyClassName=""
      aside={
        <BudgetDialog
          budget={null}
          trigger={(open) => (
            <Button size="sm" onClick={open}>
              <Plus aria-hidden />
              Limit a project
            </Button>
          )}
        />
      }
    >
      <ul className="divide-y">
        {[user, month, ...projects].map((budget) => (
          <li key={`${budget.scope} ${budget.key}`} className="p-3">
            <Row budget={budget} />
          </li>
        ))}
      </ul>
      {earlier.length > 0 && (
        <details className="border-t">
          <summary className="px-3 py-2 font-medium text-muted hover:bg-hover">Earlier months</summary>
          <dl className="px-3 pb-3">
            {earlier.map((budget) => (
              <div key={budget.key} className="flex justify-between gap-3 py-1">
                <dt>{budgetName(budget)}</dt>
                <dd title={formatUsd(budget.spent_micro_usd)}>{formatUsdUp(budget.spent_micro_usd)}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </Panel>
  );
}

const NOTES: Partial<Record<Budget["scope"], string>> = {
  user: "All spending, past and future.",
  month: "The limit also applies to later months.",
};

function Row({ budget }: { budget: Budget }) {
  const { scope, key, limit_micro_usd: limit, spent_micro_usd: spent, reserved_micro_usd: reserved } = budget;
  const name = title(budget);
  return (
    <>
      <div className="flex items-start justify-between gap-3">
        <div className="min-w-0">
          <h3 className="break-words font-medium">{name}</h3>
          <p className="text-muted text-xs">{NOTES[scope] ?? `Jobs in the project ${key}.`}</p>
        </div>
        <BudgetDialog
          budget={budget}
          trigger={(open) => (
            <Button
              size="sm"
              onClick={open}
              aria-label={`${limit == null ? "Set" : "Change"} limit of ${budgetName(budget)}`}
            >
              {limit == null ? "Set limit" : "Change limit"}
            </Button>
          )}
        />
      </div>
      <p className="mt-1.5">
        <span className="font-medium" data-figures title={formatUsd(spent)}>
          {formatUsdUp(spent)}
        </span>{" "}
        <span className="text-muted">
          {limit == null ? "spent, no limit" : `spent of ${formatUsd(limit)}`}
          {reserved > 0 && `, ${formatUsdUp(reserved)} reserved`}
        </span>
      </p>
      {limit != null && (
        <div className="mt-2">
          <LimitBar label={`Spent of ${name}`} spent={spent} reserved={reserved} limit={limit} />
        </div>
      )}
    </>
  );
}

function title(budget: Budget): string {
  if (budget.scope === "user") return "Everything";
  return budget.scope === "project" ? budget.key : budgetName(budget);
}
