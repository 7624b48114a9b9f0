import { act, renderHook } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { notify, setBrowserNotices, useBrowserNotices } from "./browser-notices";

test("a browser that only has the words for notifications is found out, once", async () => {
  const make = vi.fn();
  class Android {
    static permission = "granted";
    static requestPermission = () => Promise.resolve("granted");
    constructor() {
      make();
      throw new TypeError("Illegal constructor");
    }
  }
  vi.stubGlobal("Notification", Android);
  vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  const { result } = renderHook(() => useBrowserNotices());
  await act(() => setBrowserNotices(true));
  expect(result.current).toBe("on");
  act(() => notify("Zora succeeded", { tag: "1" }, () => {}));
  expect(result.current).toBe("unsupported");
  notify("Zora succeeded", { tag: "1" }, () => {});
  expect(make).toHaveBeenCalledOnce();
  vi.unstubAllGlobals();
});
