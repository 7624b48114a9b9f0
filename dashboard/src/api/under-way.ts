// What agents make one after the other: pictures, and files out of others.
import type { Generation, LoraEdit } from "./types";

/** Whether it is still in progress. */
export function isUnderWay({ phase }: Generation | LoraEdit): boolean {
  return phase === "queued" || phase === "running";
}
