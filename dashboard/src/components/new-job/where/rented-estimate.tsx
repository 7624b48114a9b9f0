// What the job would cost on a rented machine, and which budgets limit it.
import { CircleAlert, TriangleAlert } from "lucide-react";
import type { JobEstimate } from "~/api/types";
import { bindingBudgets } from "~/components/spend/budgets";
import { Property } from "~/components/ui/misc";
import { cn } from "~/lib/cn";
import { formatName } from "~/lib/format";
import { formatUsdUp, parseUsd } from "~/lib/money";
import { firstOffer, formatCost, formatTime } from "./rented";

export function RentedProperties({ estimate }: { estimate: JobEstimate }) {
  const offer = firstOffer(estimate.offers);
  const { least_limit_micro_usd: least, memory_gb } = estimate;
  return (
    <>
      <Property name="GPU memory">about {memory_gb} GB needed</Property>
      {offer && least != null ? (
        <>
          <Property name="First choice">
            {offer.gpu_name}, {formatName(offer.cloud).toLowerCase()}, {formatUsdUp(offer.rate_micro_usd)} per
            hour
          </Property>
          <Property name="Expected time">
            {formatTime(offer.seconds)}{" "}
            <span className="text-muted">· {offer.is_measured ? "measured" : "rough estimate"}</span>
          </Property>
          <Property name="Expected cost">
            <span className="font-medium">{formatCost(offer.cost_micro_usd)}</span>
          </Property>
          <Property name="Needed to start">
            {formatUsdUp(least)} <span className="text-muted">of the limit</span>
          </Property>
        </>
      ) : (
        <Property name="First choice">
          <span className="text-bad">none: no available machine fits</span>
        </Property>
      )}
    </>
  );
}

/** Budgets that end the job before its own limit does, or do not let it start. */
export function BindingBudgets({ estimate, limit }: { estimate: JobEstimate; limit: string }) {
  const bindings = bindingBudgets(estimate.budgets, parseUsd(limit), estimate.least_limit_micro_usd ?? null);
  if (bindings.length === 0) return null;
  return (
    <ul aria-label="Limiting budgets" className="mt-2 flex flex-col gap-1.5 text-xs">
      {bindings.map(({ text, stops }) => {
        const Icon = stops ? CircleAlert : TriangleAlert;
        return (
          <li key={text} className={cn("flex gap-2", stops ? "text-bad" : "text-warning")}>
            <Icon aria-hidden className="mt-px size-3.5 shrink-0" />
            {text}
          </li>
        );
      })}
    </ul>
  );
}
