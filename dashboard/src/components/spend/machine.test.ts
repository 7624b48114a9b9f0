import { expect, test } from "vitest";
import { describeMachine } from "./machine";

test("a machine is told in a line", () => {
  const machine = {
    name: "attic",
    labels: ["quiet"],
    gpu: "NVIDIA GeForce RTX 3090",
    memory_gb: 24,
    engines: ["native" as const, "kohya" as const],
    devices: ["cpu" as const, "cuda" as const],
    lora_kinds: ["lora" as const],
    protocol: { version: 2, oldest: 2 },
    seen_at: "2026-11-23T10:00:00Z",
    is_online: true,
  };
  expect(describeMachine(machine)).toBe("RTX 3090, 24 GB, native and sd-scripts, waiting for work");
  expect(describeMachine({ ...machine, gpu: null, engines: ["native"], is_online: false })).toBe(
    "no GPU, native, away",
  );
});
