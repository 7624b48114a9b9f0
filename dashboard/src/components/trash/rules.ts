// The rules for cleaning up, as they are written into fields.
import type { CleanUp } from "~/api/types";

export type WrittenRules = Record<keyof CleanUp, string>;

export const NO_RULES: WrittenRules = { drafts_kept: "", drafts_days: "", pictures_days: "", jobs_days: "" };

interface Rule {
  key: keyof CleanUp;
  /** Words around the number. */
  before: string;
  after: string;
}

export const RULES: readonly Rule[] = [
  { key: "drafts_kept", before: "Of each model, keep the newest", after: "drafts" },
  { key: "drafts_days", before: "Delete drafts older than", after: "days" },
  { key: "pictures_days", before: "Delete pictures of the playground older than", after: "days" },
  { key: "jobs_days", before: "Delete ended jobs without a version older than", after: "days" },
];

/** The rules that have a number; an empty field is no rule. */
export function rulesOf(written: WrittenRules): CleanUp {
  const rules: CleanUp = {};
  for (const { key } of RULES) if (written[key].trim() !== "") rules[key] = Number(written[key]);
  return rules;
}
