// Money: what is spent, what may be, on which machines.
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { jobsQuery } from "~/api/queries";
import { providersQuery, spendQuery } from "~/api/spend";
import { BudgetPanel } from "~/components/spend/budget-panel";
import { sortBudgets } from "~/components/spend/budgets";
import { Ledger } from "~/components/spend/ledger";
import { Machines } from "~/components/spend/machines";
import { ProviderCards } from "~/components/spend/provider-cards";
import { SpendFigures } from "~/components/spend/spend-figures";
import { Page } from "~/components/ui/page";
import { formatUsdUp } from "~/lib/money";

interface View {
  /** Whose ledger. */
  job?: string;
}

export const Route = createFileRoute("/_app/spend")({
  validateSearch: (search: Record<string, unknown>): View =>
    typeof search.job === "string" && search.job ? { job: search.job } : {},
  loader: ({ context }) =>
    Promise.all([
      context.queries.ensureQueryData(spendQuery()),
      context.queries.ensureQueryData(providersQuery()),
      context.queries.ensureQueryData(jobsQuery()),
    ]),
  component: SpendPage,
});

function SpendPage() {
  const { job } = Route.useSearch();
  const navigate = Route.useNavigate();
  const { data: spend } = useSuspenseQuery(spendQuery());
  const { data: providers } = useSuspenseQuery(providersQuery());
  const { data: jobs = [] } = useQuery(jobsQuery());
  const budgets = sortBudgets(spend.budgets, spend.month);
  const { rate_micro_usd: rate } = spend;
  return (
    <Page
      title="Spend"
      tabTitle={rate > 0 ? `${formatUsdUp(rate)} per hour · Spend` : "Spend"}
      description="The cost of rented machines, and its limits. Training on this machine is free."
    >
      <SpendFigures spend={spend} budgets={budgets} />
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="flex min-w-0 flex-col gap-4">
          <Machines machines={spend.instances} jobs={jobs} />
          <Ledger
            job={job ?? null}
            jobs={jobs}
            onAll={() => void navigate({ search: {}, resetScroll: false })}
          />
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          <BudgetPanel budgets={budgets} />
          <ProviderCards providers={providers} />
        </div>
      </div>
    </Page>
  );
}
