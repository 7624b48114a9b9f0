import { expect, test } from "vitest";
import { describeError, ProblemError, toProblem } from "./problem";

test("fields at fault come first, then the detail, then the title", () => {
  const problem = { type: "invalid_request", title: "The request is not valid.", status: 422 };
  const errors = [{ field: "parameters.rank", message: "must be from 1 to 256, not 0" }];
  expect(describeError(new ProblemError({ ...problem, errors }))).toBe("Rank: must be from 1 to 256, not 0");
  const nested = [{ field: "loras[0].weight", message: "must be a number" }];
  expect(describeError(new ProblemError({ ...problem, errors: nested }))).toBe(
    "Loras[0] weight: must be a number",
  );
  expect(describeError(new ProblemError({ ...problem, detail: "two parts" }))).toBe("two parts");
  expect(describeError(new ProblemError(problem))).toBe("The request is not valid.");
  expect(new ProblemError({ ...problem, errors }).fields).toEqual({
    "parameters.rank": "must be from 1 to 256, not 0",
  });
});

test("an answer without a problem, and no answer, are told in words too", () => {
  expect(toProblem("<html>", 502)).toMatchObject({ status: 502, title: expect.stringContaining("502") });
  expect(describeError(new TypeError("Failed to fetch"))).toContain("cannot be reached");
});
