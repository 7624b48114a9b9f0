// What the form says about rented machines, and the part of the request that it makes.
import type { CreateJob, JobEstimate, OfferEstimate, ProviderInfo, RentalWish } from "~/api/types";
import { POOL } from "~/components/spend/provider-name";
import { formatUsdRange, formatUsdUp, parseUsd, usdError } from "~/lib/money";

/** Where a job runs and what it may cost there, as it was typed. */
export interface Where {
  provider: string;
  /** In dollars. */
  limit: string;
  project: string;
  /** GPU types in the order in which they are asked for; none for every one that fits. */
  gpus: string[];
  /** Labels that a machine of the pool must have. */
  labels: string[];
}

export const HERE: Where = { provider: "local", limit: "", project: "", gpus: [], labels: [] };

/** Any machine at all. */
const ANY: RentalWish = { gpus: [], n_gpus: 1, clouds: [], data_centers: [], labels: [] };

type Wanted = Pick<CreateJob, "provider" | "project" | "rental" | "limit_micro_usd">;

/** The part of the request that an estimate depends on: all but the limit. */
export function toWanted({ provider, project, gpus, labels }: Where, providers: ProviderInfo[]): Wanted {
  if (provider === POOL) return { provider, rental: { ...ANY, labels } };
  if (!isRented(provider, providers)) return { provider };
  return {
    provider,
    project: project.trim() || null,
    rental: { ...ANY, gpus },
  };
}

/** The same request with no GPU chosen: its estimate has them all, to choose from. */
export function withEveryGpu(request: CreateJob): CreateJob {
  return request.rental ? { ...request, rental: { ...request.rental, gpus: [] } } : request;
}

export function isRented(provider: string, providers: ProviderInfo[]): boolean {
  return providers.some((one) => one.name === provider && one.is_rented);
}

/** The request with the limit and with the estimate that was seen; null while there is none, or it would be refused. */
export function withMoney(
  request: CreateJob,
  limit: string,
  estimate: JobEstimate | undefined,
): CreateJob | null {
  if (!request.rental || request.provider === POOL) return request;
  const limit_micro_usd = parseUsd(limit);
  if (!estimate || limit_micro_usd === null || limitError(limit, estimate)) return null;
  if (estimate.least_limit_micro_usd == null) return null;
  return { ...request, limit_micro_usd, estimate_hash: estimate.hash };
}

/** What is missing before the job can start. Invalid input is reported at its field and makes no request. */
export function whatIsMissing(
  request: CreateJob | null,
  limit: string,
  estimate: JobEstimate | undefined,
): string | null {
  if (!request) return "Correct the marked fields.";
  if (request.name === "") return "Enter a name.";
  if (!request.rental || request.provider === POOL) return null;
  if (limit.trim() === "") return "Enter a cost limit.";
  return limitError(limit, estimate) ? "Correct the marked fields." : null;
}

/** The error in the limit; none while the field is empty. */
export function limitError(limit: string, estimate: JobEstimate | undefined): string | undefined {
  if (limit.trim() === "") return undefined;
  return usdError(limit, estimate?.least_limit_micro_usd ?? 1);
}

/** Help for the limit, with the minimum needed to start. */
export function limitHelp(estimate: JobEstimate | undefined): string {
  const least = estimate?.least_limit_micro_usd;
  const what = "For the whole job. It stops with a checkpoint before it exceeds the limit.";
  return least == null ? what : `${what} Minimum: ${formatUsdUp(least)}.`;
}

export interface Kind {
  gpu: string;
  name: string;
  memory_gb: number;
  /** Why a job cannot run on it. */
  unfit: string | undefined;
  /** The cheapest first. */
  tiers: OfferEstimate[];
}

/** Offers by GPU, in the order in which they would be tried; those that do not fit at the end. */
export function kindsOf(offers: OfferEstimate[]): Kind[] {
  const kinds: Kind[] = [];
  for (const offer of offers) {
    const kind = kinds.find(({ gpu }) => gpu === offer.gpu);
    if (kind) kind.tiers.push(offer);
    else {
      const { gpu, gpu_name: name, memory_gb, unfit } = offer;
      kinds.push({ gpu, name, memory_gb, unfit: unfit ?? undefined, tiers: [offer] });
    }
  }
  for (const { tiers } of kinds) tiers.sort((a, b) => a.rate_micro_usd - b.rate_micro_usd);
  return [...kinds.filter(({ unfit }) => !unfit), ...kinds.filter(({ unfit }) => unfit)];
}

/** The selection with one GPU added or removed. A new one is tried last. */
export function toggled(gpus: string[], gpu: string): string[] {
  return gpus.includes(gpu) ? gpus.filter((one) => one !== gpu) : [...gpus, gpu];
}

/** The offer that would be tried first. */
export function firstOffer(offers: OfferEstimate[]): OfferEstimate | undefined {
  const fitting = offers.filter(({ unfit }) => !unfit);
  return fitting.find(({ is_in_stock }) => is_in_stock) ?? fitting[0];
}

/** `≈ 38 min (20–70)`, `≈ 5 h (2–12)` */
export function formatTime({ low, likely, high }: OfferEstimate["seconds"]): string {
  const [unit, word] = likely < 7200 ? [60, "min"] : [3600, "h"];
  const told = (seconds: number) => {
    const value = seconds / unit;
    return String(unit === 3600 && value < 10 ? Math.round(value * 10) / 10 : Math.max(1, Math.round(value)));
  };
  return `≈ ${told(likely)} ${word} (${told(low)}–${told(high)})`;
}

/** `$0.31–0.42` */
export function formatCost({ low, high }: OfferEstimate["cost_micro_usd"]): string {
  return formatUsdRange(low, high);
}
