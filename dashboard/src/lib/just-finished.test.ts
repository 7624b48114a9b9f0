import { renderHook } from "@testing-library/react";
import { act } from "react";
import { beforeEach, expect, test } from "vitest";
import { forgetSeen, markSeen, markUnseen, useSeen } from "./just-finished";

const KEY = "morpheus.seen-jobs";

beforeEach(forgetSeen);

function kept(): { since: string; ids: string[] } {
  return JSON.parse(localStorage.getItem(KEY) ?? "null");
}

/** What another tab does: this one hears of it by an event. */
function writeElsewhere(ids: string[]): void {
  localStorage.setItem(KEY, JSON.stringify({ since: "2026-01-02T03:00:00Z", ids }));
}

test("what another tab has seen stays seen when this one writes", () => {
  markSeen("1");
  writeElsewhere(["1", "2"]);
  markSeen("3");
  expect(kept().ids).toEqual(["1", "2", "3"]);
  writeElsewhere(["1", "2", "3", "4"]);
  markUnseen("1");
  expect(kept()).toEqual({ since: "2026-01-02T03:00:00Z", ids: ["2", "3", "4"] });
});

test("what another tab has seen is gone here at once", () => {
  const { result } = renderHook(() => useSeen());
  expect(result.current.ids).toEqual([]);
  act(() => {
    writeElsewhere(["2"]);
    window.dispatchEvent(new StorageEvent("storage", { key: KEY }));
  });
  expect(result.current.ids).toEqual(["2"]);
});

test("what cannot be read is as good as nothing", () => {
  markSeen("1");
  localStorage.setItem(KEY, '{"since": 7}');
  markSeen("2");
  expect(kept().ids).toEqual(["1", "2"]);
});
