// What the log asks of the server.
import { renderHook } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { NUMBERS } from "./reduce";
import { useJobLog } from "./use-job-log";

afterEach(() => vi.unstubAllGlobals());

test("the log asks for no numbers", () => {
  const urls: string[] = [];
  class Quiet {
    constructor(url: string) {
      urls.push(url);
    }
    close() {}
  }
  vi.stubGlobal("WebSocket", Quiet);
  renderHook(() => useJobLog("1"));
  expect(urls).toHaveLength(1);
  const asked = new URL(urls[0] ?? "").searchParams;
  expect(asked.get("without")?.split(",")).toEqual([...NUMBERS]);
  expect(asked.get("after")).toBe("0");
});
