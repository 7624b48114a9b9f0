import { expect, test } from "vitest";
import type { Budget } from "~/api/types";
import { bindingBudgets, budgetName, leftOf, sortBudgets } from "./budgets";

function aBudget(change: Partial<Budget>): Budget {
  return { scope: "user", key: "", spent_micro_usd: 0, reserved_micro_usd: 0, ...change };
}

test("what has no budget yet gets an empty one, and a month the limit of the months before", () => {
  const october = aBudget({ scope: "month", key: "2026-10", limit_micro_usd: 9, spent_micro_usd: 4 });
  const september = aBudget({ scope: "month", key: "2026-09", limit_micro_usd: 7 });
  const sorted = sortBudgets([september, october], "2026-11");
  expect(sorted.user).toMatchObject({ scope: "user", limit_micro_usd: null });
  expect(sorted.month).toMatchObject({ key: "2026-11", limit_micro_usd: 9, spent_micro_usd: 0 });
  expect(sorted.earlier).toEqual([october, september]);
});

test("a month with a budget of its own keeps it, also where its limit was taken away", () => {
  const november = aBudget({ scope: "month", key: "2026-11", spent_micro_usd: 1 });
  const october = aBudget({ scope: "month", key: "2026-10", limit_micro_usd: 9 });
  expect(sortBudgets([october, november], "2026-11").month).toBe(november);
});

test("projects are in the order of their names", () => {
  const projects = ["zine", "panels"].map((key) => aBudget({ scope: "project", key }));
  expect(sortBudgets(projects, "2026-11").projects.map(({ key }) => key)).toEqual(["panels", "zine"]);
});

test("names say what a limit is for", () => {
  expect(budgetName({ scope: "month", key: "2026-11" })).toBe("November 2026");
  expect(budgetName({ scope: "project", key: "panels" })).toBe("the project panels");
});

test("what is left is never less than nothing", () => {
  expect(leftOf(aBudget({ limit_micro_usd: 5, spent_micro_usd: 4, reserved_micro_usd: 3 }))).toBe(0);
  expect(leftOf(aBudget({}))).toBeNull();
});

test("budgets bind a job that leave less than its own limit, and stop one that cannot start", () => {
  const user = aBudget({ limit_micro_usd: 50_000_000 });
  const month = aBudget({
    scope: "month",
    key: "2026-11",
    limit_micro_usd: 3_000_000,
    spent_micro_usd: 1_000_000,
  });
  const project = aBudget({ scope: "project", key: "panels", limit_micro_usd: 100_000 });
  expect(bindingBudgets([user, month, project, aBudget({})], 5_000_000, 460_000)).toEqual([
    { text: "The budget of November 2026 has $2.00 left, so the job may stop earlier.", stops: false },
    { text: "The budget of the project panels has $0.10 left: not enough to start.", stops: true },
  ]);
});
