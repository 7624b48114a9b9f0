// Budgets by scope (everything, this month, each project), and those that limit a job.
import type { Budget, BudgetScope } from "~/api/types";
import { formatUsdUp } from "~/lib/money";

export interface Budgets {
  user: Budget;
  month: Budget;
  projects: Budget[];
  /** Months before this one, the newest first. */
  earlier: Budget[];
}

/** Sorts budgets; what has none yet gets an empty one. A month's limit holds for the months after it. */
export function sortBudgets(all: Budget[], month: string): Budgets {
  const months = all
    .filter((budget) => budget.scope === "month" && budget.key <= month)
    .sort((a, b) => b.key.localeCompare(a.key));
  const current = months.find((budget) => budget.key === month);
  const standing = months[0]?.limit_micro_usd ?? null;
  return {
    user: all.find((budget) => budget.scope === "user") ?? empty("user", "", null),
    month: current ?? empty("month", month, standing),
    projects: all.filter((budget) => budget.scope === "project").sort((a, b) => a.key.localeCompare(b.key)),
    earlier: months.filter((budget) => budget.key !== month),
  };
}

function empty(scope: BudgetScope, key: string, limit_micro_usd: number | null): Budget {
  return { scope, key, limit_micro_usd, spent_micro_usd: 0, reserved_micro_usd: 0 };
}

/** `everything`, `November 2026`, `the project panels` */
export function budgetName({ scope, key }: Pick<Budget, "scope" | "key">): string {
  switch (scope) {
    case "month":
      return new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" }).format(
        new Date(`${key}-01T00:00:00Z`),
      );
    case "project":
      return `the project ${key}`;
    case "job":
      return "this job";
    case "drawing":
      return "this drawing session";
    case "user":
      return "everything";
  }
}

/** What can still be spent or reserved; null without a limit. */
export function leftOf({ limit_micro_usd, spent_micro_usd, reserved_micro_usd }: Budget): number | null {
  if (limit_micro_usd == null) return null;
  return Math.max(0, limit_micro_usd - spent_micro_usd - reserved_micro_usd);
}

export interface Binding {
  text: string;
  /** Not enough is left to start. */
  stops: boolean;
}

/** Budgets that leave a job less than its own limit, or not enough to start. */
export function bindingBudgets(budgets: Budget[], limit: number | null, least: number | null): Binding[] {
  return budgets.flatMap((budget) => {
    const left = leftOf(budget);
    if (left === null) return [];
    const stops = least !== null && left < least;
    if (!stops && limit !== null && left >= limit) return [];
    const text = `The budget of ${budgetName(budget)} has ${formatUsdUp(left)} left`;
    return [
      { text: stops ? `${text}: not enough to start.` : `${text}, so the job may stop earlier.`, stops },
    ];
  });
}
