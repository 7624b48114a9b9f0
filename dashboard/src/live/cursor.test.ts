import { expect, test, vi } from "vitest";
import { nearest, StepCursor } from "./cursor";

test("the curve lights the row of the nearest step, if it is near", () => {
  const cursor = new StepCursor();
  cursor.setMarks([0, 200, 400], 1000);
  cursor.point(212, "curve");
  expect(cursor.lit()).toBe(200);
  cursor.point(300, "curve");
  expect(cursor.lit()).toBeNull();
  expect(cursor.step).toBe(300);
});

test("a row lights its own mark, and only who points can leave", () => {
  const cursor = new StepCursor();
  cursor.setMarks([0, 4, 8], 12);
  cursor.point(4, "rows");
  cursor.leave("curve");
  expect(cursor.lit()).toBe(4);
  cursor.leave("rows");
  expect(cursor.lit()).toBeNull();
});

test("listeners hear of changes, and of nothing else", () => {
  const cursor = new StepCursor();
  const heard = vi.fn();
  const stop = cursor.subscribe(heard);
  cursor.setMarks([1, 2], 2);
  cursor.setMarks([1, 2], 2);
  cursor.point(1, "rows");
  cursor.point(1, "rows");
  expect(heard).toHaveBeenCalledTimes(2);
  stop();
  cursor.point(2, "rows");
  expect(heard).toHaveBeenCalledTimes(2);
});

test("of no marks, none is the nearest", () => {
  expect(nearest([], 3, 10)).toBeNull();
});

test("keys light the row nearby, and the legend tells of the very step", () => {
  const cursor = new StepCursor();
  cursor.setMarks([0, 200, 400], 1000);
  cursor.point(212, "keys");
  expect([cursor.lit(), cursor.told(), cursor.isOnCurve]).toEqual([200, 212, false]);
  cursor.leave("curve");
  expect(cursor.told(), "the pointer is elsewhere").toBe(212);
  cursor.leave("keys");
  expect(cursor.told()).toBeNull();
  cursor.point(400, "rows");
  expect([cursor.told(), cursor.isAmongRows]).toEqual([400, true]);
});
