// Why a job on a rented machine stands still.
import type { Job } from "~/api/types";
import { POOL } from "./provider-name";

/** It stopped because another machine would have passed its limit. The reason is all that tells it from other stops. */
export function isAtLimit({ phase, reason }: Job): boolean {
  return phase === "stopped" && reason?.startsWith("its limit of ") === true;
}

/** Its machines cost money. */
export function isRented({ rental, provider }: Job): boolean {
  return rental != null && provider !== POOL;
}

/** What it will have cost at its last step: by the server's newest word, or as its rate and its steps go on. */
export function forecastOf(job: Job, told: number | null): number | null {
  if (job.phase !== "running") return null;
  if (told !== null) return told;
  const { spent_micro_usd, rate_micro_usd } = job.spend;
  if (!job.progress || rate_micro_usd === 0) return null;
  return spent_micro_usd + Math.ceil((rate_micro_usd * job.progress.eta_seconds) / 3600);
}
