import { expect, test, vi } from "vitest";
import { scrollBehavior } from "./motion";

test("nothing scrolls smoothly for somebody who wants less motion", () => {
  for (const [matches, behavior] of [
    [true, "auto"],
    [false, "smooth"],
  ] as const) {
    vi.stubGlobal("matchMedia", (query: string) => ({
      matches: matches && query === "(prefers-reduced-motion: reduce)",
    }));
    expect(scrollBehavior()).toBe(behavior);
  }
  vi.unstubAllGlobals();
});
