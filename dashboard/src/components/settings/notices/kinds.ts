// What notices tell of, in words.
import type { NoticeKind } from "~/api/types";

export const KINDS: Record<NoticeKind, string> = {
  "job.succeeded": "Job succeeded",
  "job.failed": "Job failed",
  "job.stopped": "Job stopped",
  "job.limit_reached": "Cost limit reached",
  "job.waits_for_money": "Job waits for money",
  "disk.short": "Disk nearly full",
  test: "Test",
};

/** Those that a webhook may choose. */
export const CHOICES = (Object.keys(KINDS) as NoticeKind[]).filter((kind) => kind !== "test");
