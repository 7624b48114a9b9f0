// The GPUs on offer, with the job's estimated time and cost on each; chosen ones are tried in order.
import { Fragment } from "react";
import type { OfferEstimate } from "~/api/types";
import { Skeleton } from "~/components/ui/misc";
import { cn } from "~/lib/cn";
import { formatName } from "~/lib/format";
import { formatUsd, formatUsdUp } from "~/lib/money";
import { formatCost, formatTime, type Kind, kindsOf } from "./rented";

interface Props {
  offers: OfferEstimate[] | undefined;
  gpus: string[];
  error: string | undefined;
  onToggle: (gpu: string) => void;
  onClear: () => void;
}

export function OfferTable({ offers, gpus, error, onToggle, onClear }: Props) {
  if (!offers) return <Skeleton className="h-40" />;
  const kinds = kindsOf(offers);
  return (
    <section aria-label="GPUs">
      <div className="mb-1 flex min-h-5 flex-wrap items-baseline justify-between gap-2">
        <h3 className="font-medium">GPU</h3>
        {gpus.length > 0 && (
          <button
            type="button"
            onClick={onClear}
            className="rounded-sm text-accent text-xs underline-offset-2 hover:underline"
          >
            Clear selection
          </button>
        )}
      </div>
      {kinds.length === 0 ? (
        <p className="rounded-lg border p-3 text-muted">No GPUs are available.</p>
      ) : (
        <table className="w-full border-separate border-spacing-0 rounded-lg border bg-surface text-left">
          <thead className="eyebrow">
            <tr className="h-8 [&>th]:whitespace-nowrap [&>th]:px-1.5 [&>th]:font-medium @xl:[&>th]:px-3">
              <th scope="col">GPU</th>
              <th scope="col">Tier</th>
              <th scope="col" className="text-right">
                Per hour
              </th>
              <th scope="col" className="hidden text-right @xl:table-cell">
                Time
              </th>
              <th scope="col" className="text-right">
                Cost
              </th>
            </tr>
          </thead>
          <tbody className="[&>tr>td]:px-1.5 @xl:[&>tr>td]:px-3">
            {kinds.map((kind) => (
              <Rows
                key={kind.gpu}
                kind={kind}
                place={gpus.indexOf(kind.gpu)}
                onToggle={() => onToggle(kind.gpu)}
              />
            ))}
          </tbody>
        </table>
      )}
      {error && (
        <p role="alert" className="mt-1 text-bad text-xs">
          {error}
        </p>
      )}
      <p className="mt-1 text-muted text-xs">{order(gpus, kinds)}</p>
    </section>
  );
}

interface RowsProps {
  kind: Kind;
  /** Where it stands in the choice, from 0; -1 when it is not chosen. */
  place: number;
  onToggle: () => void;
}

function Rows({ kind, place, onToggle }: RowsProps) {
  const { gpu, name, memory_gb, unfit, tiers } = kind;
  return (
    <Fragment key={gpu}>
      {tiers.map((offer, at) => (
        <tr
          key={offer.cloud}
          className={cn("align-top", place >= 0 && "bg-accent-soft", unfit && "text-muted")}
        >
          {at === 0 && (
            <td rowSpan={tiers.length} className="border-t py-2">
              <label className={cn("flex gap-2", !unfit && "cursor-pointer")}>
                <input
                  type="checkbox"
                  checked={place >= 0}
                  disabled={unfit !== undefined && place < 0}
                  onChange={onToggle}
                  className="mt-0.5 size-4 shrink-0 accent-(--accent)"
                />
                <span className="min-w-0">
                  <span className="font-medium">{name}</span>
                  {place >= 0 && <span className="ml-1.5 text-accent text-xs">{ordinal(place + 1)}</span>}
                  <span className="block text-muted text-xs">{unfit ?? `${memory_gb} GB`}</span>
                </span>
              </label>
            </td>
          )}
          <Tier offer={offer} isFirst={at === 0} />
        </tr>
      ))}
    </Fragment>
  );
}

function Tier({ offer, isFirst }: { offer: OfferEstimate; isFirst: boolean }) {
  const { cloud, is_in_stock, rate_micro_usd, seconds, cost_micro_usd, is_measured, unfit } = offer;
  const cell = cn(isFirst ? "border-t py-2" : "pb-2");
  const basis = is_measured ? "measured" : "rough estimate";
  return (
    <>
      <td className={cell}>
        {formatName(cloud)}
        <span className={cn("block text-xs", is_in_stock ? "text-muted" : "text-warning")}>
          {is_in_stock ? "in stock" : "sold out"}
        </span>
      </td>
      <td className={cn(cell, "text-right")} title={formatUsd(rate_micro_usd)}>
        {formatUsdUp(rate_micro_usd)}
      </td>
      <td className={cn(cell, "hidden whitespace-nowrap text-right @xl:table-cell")}>
        {unfit ? "–" : formatTime(seconds)}
        {!unfit && <span className="block text-muted text-xs">{basis}</span>}
      </td>
      <td className={cn(cell, "whitespace-nowrap text-right")}>
        {unfit ? "–" : formatCost(cost_micro_usd)}
        {!unfit && (
          <span className="block text-muted text-xs @xl:hidden">
            <span className="block">{formatTime(seconds)}</span>
            {basis}
          </span>
        )}
      </td>
    </>
  );
}

function order(gpus: string[], kinds: Kind[]): string {
  if (gpus.length === 0) return "None chosen: every GPU that fits is tried, cheapest first.";
  const names = gpus.map((gpu) => kinds.find((kind) => kind.gpu === gpu)?.name ?? gpu);
  return names.length === 1 ? `Only ${names[0]} is tried.` : `Tried in this order: ${names.join(", then ")}.`;
}

function ordinal(n: number): string {
  return `${n}${["th", "st", "nd", "rd"][n % 100 > 10 && n % 100 < 14 ? 0 : n % 10] ?? "th"}`;
}
