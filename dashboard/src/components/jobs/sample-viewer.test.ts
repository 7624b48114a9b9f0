import { expect, test } from "vitest";
import type { Sample } from "~/api/types";
import { neighbor, swiped } from "./sample-viewer";

const sample = (prompt_index: number, step: number): Sample => ({
  artifact_id: `${prompt_index}-${step}`,
  prompt_index,
  step,
  prompt: "p",
  seed: 1,
  url: "/p.png",
  created_at: "2026-01-02T03:00:00Z",
});

// The second prompt lacks step 100.
const samples = [sample(0, 0), sample(0, 100), sample(0, 200), sample(1, 0), sample(1, 200)];
const from = sample(0, 100);

test("left and right go through the steps", () => {
  expect(neighbor(samples, from, [0, -1])?.step).toBe(0);
  expect(neighbor(samples, from, [0, 1])?.step).toBe(200);
  expect(neighbor(samples, sample(0, 200), [0, 1])).toBeUndefined();
});

test("down goes to the next prompt, at the nearest step", () => {
  expect(neighbor(samples, sample(0, 200), [1, 0])?.artifact_id).toBe("1-200");
  expect(neighbor(samples, from, [1, 0])?.artifact_id).toBe("1-0");
  expect(neighbor(samples, from, [-1, 0])).toBeUndefined();
});

test("a swipe leads along its longer side, and a tap nowhere", () => {
  expect([swiped(-80, 10), swiped(80, -10), swiped(5, -90), swiped(5, 90), swiped(20, 20)]).toEqual([
    [0, 1],
    [0, -1],
    [1, 0],
    [-1, 0],
    null,
  ]);
});
