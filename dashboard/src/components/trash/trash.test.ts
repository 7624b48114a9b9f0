import { expect, test } from "vitest";
import { NO_RULES, rulesOf } from "./rules";
import { counted } from "./words";

test("what is deleted is counted by its kind", () => {
  const item = (kind: Parameters<typeof counted>[0][number]["kind"], id: string) => ({ kind, id });
  expect(counted([item("job", "a"), item("model_version", "b"), item("model_version", "c")])).toBe(
    "2 versions, 1 job",
  );
  expect(counted([])).toBe("");
});

test("an empty field is no rule", () => {
  expect(rulesOf(NO_RULES)).toEqual({});
  expect(rulesOf({ ...NO_RULES, drafts_kept: "3", jobs_days: " 30 " })).toEqual({
    drafts_kept: 3,
    jobs_days: 30,
  });
});
