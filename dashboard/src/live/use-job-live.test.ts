// What events make the page of a job read again.
import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { jobStepQuery } from "~/api/queries";
import type { JobEvent } from "~/api/types";
import { patchJob } from "./use-job-live";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const seen = (...steps: number[]) =>
  ({
    seq: 1,
    at: "2026-01-02T03:00:00Z",
    type: "pictures_seen",
    steps: steps.map((step) => ({ step, pictures: [], timesteps: [], losses: [] })),
  }) as JobEvent;
const ended = { seq: 2, at: "2026-01-02T03:00:00Z", type: "phase_changed", phase: "succeeded" } as JobEvent;

function page() {
  const queries = new QueryClient();
  const keys = { pictures: ["jobs", "j", "pictures"], step: (n: number) => ["jobs", "j", "steps", n] };
  queries.setQueryData(keys.pictures, {});
  const isStale = (key: unknown[]) => queries.getQueryState(key)?.isInvalidated;
  return { queries, keys, isStale };
}

test("the list of pictures is read again now and then, and at the end", () => {
  const { queries, keys, isStale } = page();
  vi.advanceTimersByTime(40_000);
  patchJob(queries, "j", [seen(1)]);
  expect(isStale(keys.pictures)).toBe(false);
  vi.advanceTimersByTime(10_000);
  patchJob(queries, "j", [seen(2)]);
  expect(isStale(keys.pictures)).toBe(true);
  queries.setQueryData(keys.pictures, {});
  patchJob(queries, "j", [seen(3), ended]);
  expect(isStale(keys.pictures), "the last ones are not missed").toBe(true);
});

test("a step is read again once its pictures are known, and the others are not", () => {
  const { queries, keys, isStale } = page();
  for (const step of [1, 2]) queries.setQueryData(keys.step(step), { pictures: [] });
  patchJob(queries, "j", [seen(2, 3)]);
  expect([1, 2].map((step) => isStale(keys.step(step)))).toEqual([false, true]);
});

test("what a step saw stays as it is", () => {
  const queries = new QueryClient();
  const query = jobStepQuery("j", 1);
  const isStale = (pictures: object[]) => {
    queries.setQueryData(query.queryKey, { pictures } as never);
    vi.advanceTimersByTime(60_000);
    const known = queries.getQueryCache().build(queries, { queryKey: query.queryKey });
    const { staleTime } = query;
    if (typeof staleTime !== "function") throw new Error("it depends on the pictures");
    return staleTime(known as never) !== Number.POSITIVE_INFINITY;
  };
  expect(isStale([])).toBe(true);
  expect(isStale([{}])).toBe(false);
});
