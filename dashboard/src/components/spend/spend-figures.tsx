// The sums that one looks for first.
import type { Budget, RentedInstance } from "~/api/types";
import { Figure } from "~/components/ui/misc";
import { formatUsd, formatUsdUp } from "~/lib/money";
import { type Budgets, budgetName, leftOf } from "./budgets";

interface Props {
  spend: { rate_micro_usd: number; instances: RentedInstance[] };
  budgets: Budgets;
}

export function SpendFigures({ spend, budgets }: Props) {
  const { user, month } = budgets;
  const n_living = spend.instances.filter(({ phase }) => phase !== "gone").length;
  return (
    <section aria-label="Now" className="mb-4 rounded-lg border bg-surface">
      <dl className="grid grid-cols-2 gap-x-4 gap-y-3 px-3 py-2.5 sm:grid-cols-4">
        <Figure label="Current rate">
          <Amount micro={spend.rate_micro_usd} /> <Of>per hour</Of>
        </Figure>
        <Figure label="Active machines">
          <span className="display text-xl">{n_living}</span>
        </Figure>
        <Figure label={`Spent in ${budgetName(month)}`}>
          <Amount micro={month.spent_micro_usd} /> <Of>{left(month)}</Of>
        </Figure>
        <Figure label="Total spent">
          <Amount micro={user.spent_micro_usd} /> <Of>{left(user)}</Of>
        </Figure>
      </dl>
    </section>
  );
}

function Amount({ micro }: { micro: number }) {
  return (
    <span className="display text-xl" title={formatUsd(micro)}>
      {formatUsdUp(micro)}
    </span>
  );
}

function Of({ children }: { children: React.ReactNode }) {
  return <span className="font-normal text-muted">{children}</span>;
}

function left(budget: Budget): string {
  const free = leftOf(budget);
  return free === null ? "" : `${formatUsdUp(free)} left`;
}
