import { beforeEach, expect, test, vi } from "vitest";
import { withoutStorage } from "~/testing";
import { draftsOf, dropDraft, dropForms, keepDraft, readDraft, sweepDrafts } from "./drafts";

beforeEach(() => {
  vi.unstubAllGlobals();
  localStorage.clear();
});

test("a draft is there until it is dropped", () => {
  expect(keepDraft("new-job:", { name: "Zora" }, 5)).toBe(true);
  expect(readDraft("new-job:")).toEqual({ at: 5, value: { name: "Zora" } });
  expect(draftsOf("new-")).toEqual(["new-job:"]);
  dropDraft("new-job:");
  expect(readDraft("new-job:")).toBeNull();
});

test("a full or forbidden storage is told, not thrown", () => {
  withoutStorage();
  expect(keepDraft("a", 1)).toBe(false);
});

test("what is old, unreadable or too much is swept, and nothing of others", () => {
  const now = 1e12;
  localStorage.setItem("theme", "dark");
  localStorage.setItem("morpheus.draft.broken", "{");
  keepDraft("old", 1, now - 31 * 24 * 3600 * 1000);
  for (let n = 0; n < 2001; n++) keepDraft(`item-${n}`, n, now - n);
  sweepDrafts(now);
  expect(readDraft("old")).toBeNull();
  expect(localStorage.getItem("morpheus.draft.broken")).toBeNull();
  expect(draftsOf("item-")).toHaveLength(2000);
  expect(readDraft("item-2000")).toBeNull();
  expect(localStorage.getItem("theme")).toBe("dark");
});

test("signing out leaves no form behind, and loses no caption", () => {
  keepDraft("playground", { prompt: "secret" });
  keepDraft("caption:d:i", { text: "typed" });
  dropForms();
  expect(draftsOf("")).toEqual(["caption:d:i"]);
});
