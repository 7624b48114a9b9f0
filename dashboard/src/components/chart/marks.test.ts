import type uPlot from "uplot";
import { expect, test, vi } from "vitest";
import { StepCursor } from "~/live/cursor";
import { indexOf, pointerTo, watchCursor } from "./marks";

const plot = (idx: number | null, left: number) =>
  ({ cursor: { idx, left }, data: [[1, 5, 9]] }) as unknown as uPlot;

test("a step between two points is that of the one before it", () => {
  expect(indexOf([1, 5, 9], 5)).toBe(1);
  expect(indexOf([1, 5, 9], 8)).toBe(1);
  expect(indexOf([1, 5, 9], 100)).toBe(2);
  expect(indexOf([1, 5, 9], 0)).toBe(0);
});

test("the pointer on the curve moves the cursor, and leaves it", () => {
  const cursor = new StepCursor();
  const told = pointerTo(cursor);
  told(plot(1, 40));
  expect(cursor.step).toBe(5);
  told(plot(null, -10));
  expect(cursor.step).toBeNull();
});

test("new data does not take the cursor from the keyboard", () => {
  const cursor = new StepCursor();
  const told = pointerTo(cursor);
  cursor.point(9, "keys");
  told(plot(null, -10));
  expect(cursor.step).toBe(9);
});

test("the legend follows the keys step by step, and goes back when they leave", () => {
  const setLegend = vi.fn();
  const over = { addEventListener: vi.fn(), removeEventListener: vi.fn() };
  const chart = { over, setLegend, redraw: vi.fn(), data: [[1, 5, 9]] } as unknown as uPlot;
  const cursor = new StepCursor();
  cursor.setMarks([9], 9);
  watchCursor(chart, cursor, vi.fn());
  cursor.point(6, "keys");
  expect(setLegend).toHaveBeenLastCalledWith({ idx: 1 });
  cursor.point(1, "keys");
  expect(setLegend).toHaveBeenLastCalledWith({ idx: 0 });
  cursor.leave("keys");
  expect(setLegend).toHaveBeenLastCalledWith({ idx: 2 });
});
