// What a machine of the pool is, in a line.
import type { PoolMember } from "~/api/types";

/** `RTX 3090, 24 GB, native and sd-scripts, working` */
export function describeMachine({ gpu, memory_gb, engines, is_online, job_id }: PoolMember): string {
  const what = gpu ? `${gpu.replace(/^NVIDIA (GeForce )?/, "")}, ${memory_gb ?? "?"} GB` : "no GPU";
  const trains = engines.map((engine) => (engine === "kohya" ? "sd-scripts" : "native")).join(" and ");
  const now = job_id ? "working" : is_online ? "waiting for work" : "away";
  return [what, trains, now].join(", ");
}
