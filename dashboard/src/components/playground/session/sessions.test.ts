import { expect, test } from "vitest";
import type { DrawingSession } from "~/api/types";
import { isOpen, minutesError, places, shown, timeLeft } from "./sessions";

function aSession(change: Partial<DrawingSession> = {}): DrawingSession {
  return {
    id: "01900000-0000-7000-8000-000000000001",
    name: "Covers",
    provider: "runpod",
    phase: "ready",
    limit_micro_usd: 5_000_000,
    spent_micro_usd: 0,
    reserved_micro_usd: 0,
    rate_micro_usd: 690_000,
    idle_minutes: 10,
    n_open: 0,
    used_at: "2026-11-30T11:58:00Z",
    deadline_at: "2026-11-30T15:00:00Z",
    created_at: "2026-11-30T11:50:00Z",
    ...change,
  };
}

test("silence ends a session before its limit, unless it draws", () => {
  const seconds_to_limit = 3 * 3600;
  const silent = { seconds: 480, because: "silence" };
  expect(timeLeft(aSession({ seconds_to_limit, seconds_to_silence: 480 }))).toEqual(silent);
  expect(timeLeft(aSession({ seconds_to_limit, seconds_to_silence: 0 }))).toEqual({ ...silent, seconds: 0 });
  const limited = { seconds: seconds_to_limit, because: "limit" };
  expect(timeLeft(aSession({ seconds_to_limit }))).toEqual(limited);
  expect(timeLeft(aSession({ seconds_to_limit, seconds_to_silence: 4 * 3600 }))).toEqual(limited);
});

test("nothing is said of the time that the server does not tell", () => {
  expect(timeLeft(aSession())).toBeNull();
});

test("sessions that are not over are shown, else the newest that ended", () => {
  const ended = aSession({ id: "1", phase: "ended" });
  const older = aSession({ id: "0", phase: "ended" });
  const living = aSession({ id: "2", phase: "ending" });
  expect(shown([living, ended, older])).toEqual([living]);
  expect(shown([ended, older])).toEqual([ended]);
  expect(shown([])).toEqual([]);
  expect([living, ended, aSession()].map(isOpen)).toEqual([false, false, true]);
});

test("a session that is chosen stays in the list when it is over", () => {
  const open = aSession({ id: "1" });
  const over = aSession({ id: "0", name: "Spreads", phase: "ending" });
  const covers = { value: "1", label: "Covers" };
  expect(places([open, over], null)).toEqual([covers]);
  expect(places([open, over], "1")).toEqual([covers]);
  expect(places([open, over], "0")).toEqual([covers, { value: "0", label: "Spreads (over)" }]);
  expect(places([], "0")).toEqual([{ value: "0", label: "A session that is over" }]);
  expect(places(undefined, "0")).toEqual([{ value: "0", label: "Loading…" }]);
  expect(places(undefined, null)).toEqual([]);
});

test("minutes are whole and within the limits", () => {
  for (const text of ["", "0", "241", "1.5", "-5", "ten"]) expect(minutesError(text)).toBeDefined();
  for (const text of ["1", " 10 ", "240"]) expect(minutesError(text)).toBeUndefined();
});
