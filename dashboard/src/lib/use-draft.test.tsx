import { act, renderHook } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import { readDraft } from "./drafts";
import { revived, useDraft } from "./use-draft";

const EMPTY = { name: "", tags: [] as string[] };
const form = () => renderHook(() => useDraft("form", () => EMPTY));

beforeEach(() => localStorage.clear());

test("what was typed is there again after the page was left", () => {
  const first = form();
  expect(first.result.current.restoredFrom).toBeNull();
  act(() => first.result.current.change({ name: "Zora" }));
  first.unmount();
  const { current } = form().result;
  expect(current.values).toEqual({ name: "Zora", tags: [] });
  expect(current.restoredFrom).not.toBeNull();
});

test("discarding begins anew, and sending leaves nothing behind", () => {
  const { result, unmount } = form();
  act(() => result.current.change({ name: "Zora" }));
  act(() => result.current.discard());
  expect(result.current.values).toEqual(EMPTY);
  expect(readDraft("form")).toBeNull();
  act(() => result.current.change({ name: "Max" }));
  act(() => result.current.done());
  expect(result.current.values.name).toBe("Max");
  unmount();
  expect(form().result.current.values).toEqual(EMPTY);
});

test("two changes before the next render are both kept", () => {
  const { result } = form();
  act(() => {
    result.current.change({ name: "Zora" });
    result.current.change({ tags: ["ink"] });
  });
  expect(readDraft("form")?.value).toEqual({ name: "Zora", tags: ["ink"] });
});

test("what another version kept is taken as far as it fits", () => {
  const initial = { name: "", n: 1, side: null as object | null };
  expect(revived(initial, { name: 7, n: 2, side: { width: 1 }, gone: true })).toEqual({
    name: "",
    n: 2,
    side: { width: 1 },
  });
  expect(revived(initial, "text")).toEqual(initial);
});
