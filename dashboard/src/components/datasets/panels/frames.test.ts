import { expect, test } from "vitest";
import type { PageFrame } from "~/api/types";
import { added, fitted, moved, type Panel, panelsOf, pressed, resized } from "./frames";
import { inOrder, type ReadingOrder } from "./order";

const page = { width: 600, height: 1000 };
const at = (left: number, top: number, width: number, height: number): PageFrame => ({
  left,
  top,
  width,
  height,
});

test("a frame stays on the page, in whole pixels, and large enough", () => {
  expect(moved(at(10, 20, 100, 200), -50, 5.4, page)).toEqual(at(0, 25, 100, 200));
  expect(moved(at(10, 20, 100, 200), 900, 900, page)).toEqual(at(500, 800, 100, 200));
  expect(fitted(at(-5, 990, 10, 2000), page)).toEqual(at(0, 0, 64, 1000));
});

test("a corner moves, and the opposite one stays", () => {
  const frame = at(100, 100, 200, 300);
  expect(resized(frame, "se", 20, -30, page)).toEqual(at(100, 100, 220, 270));
  expect(resized(frame, "nw", 20, -30, page)).toEqual(at(120, 70, 180, 330));
  expect(resized(frame, "ne", 20, -30, page)).toEqual(at(100, 70, 220, 330));
  expect(resized(frame, "sw", 20, -30, page)).toEqual(at(120, 100, 180, 270));
  // Neither off the page nor through the other corner.
  expect(resized(frame, "se", 900, 900, page)).toEqual(at(100, 100, 500, 900));
  expect(resized(frame, "se", -900, -900, page)).toEqual(at(100, 100, 64, 64));
  expect(resized(frame, "nw", -900, 900, page)).toEqual(at(0, 336, 300, 64));
});

test("arrows move a frame, and with shift resize it", () => {
  const frame = at(100, 100, 200, 300);
  expect(pressed(frame, "ArrowRight", false, page)).toEqual(at(110, 100, 200, 300));
  expect(pressed(frame, "ArrowUp", false, page)).toEqual(at(100, 90, 200, 300));
  expect(pressed(frame, "ArrowDown", true, page)).toEqual(at(100, 100, 200, 310));
  expect(pressed(frame, "ArrowLeft", true, page)).toEqual(at(100, 100, 190, 300));
  expect(pressed(frame, "a", false, page)).toBeUndefined();
});

test("a new frame lies beside the one before, and there are 64 at most", () => {
  const one = added([], page);
  expect(one).toEqual([{ id: 0, frame: at(200, 333, 200, 333) }]);
  const two = added(one, page);
  expect(two[1]).toEqual({ id: 1, frame: at(215, 348, 200, 333) });
  let many: Panel[] = [];
  for (let n = 0; n < 70; n++) many = added(many, page);
  expect(many).toHaveLength(64);
  expect(new Set(many.map(({ id }) => id)).size).toBe(64);
});

test("what the server found and is too small is left out", () => {
  const found = [at(0, 0, 300, 400), at(0, 0, 63, 400), at(300, 0, 300, 400)];
  expect(panelsOf(found, page).map(({ frame }) => frame)).toEqual([found[0], found[2]]);
});

function read(frames: PageFrame[], order: ReadingOrder): number[] {
  const panels = frames.map((frame, id) => ({ id, frame }));
  return inOrder(panels, order).map(({ id }) => id);
}

test("rows are read from top to bottom, in the direction that is chosen", () => {
  const grid = [at(0, 0, 280, 480), at(320, 0, 280, 480), at(0, 520, 280, 480), at(320, 520, 280, 480)];
  expect(read(grid.toReversed(), "left_to_right")).toEqual([3, 2, 1, 0]);
  expect(read(grid, "right_to_left")).toEqual([1, 0, 3, 2]);
});

test("panels beside a tall one are read as rows, and an inset after its panel", () => {
  const beside = [at(0, 0, 280, 1000), at(320, 0, 280, 480), at(320, 520, 280, 480)];
  expect(read(beside, "left_to_right")).toEqual([0, 1, 2]);
  expect(read(beside, "right_to_left")).toEqual([1, 2, 0]);
  const inset = [at(0, 0, 600, 480), at(0, 520, 600, 480), at(400, 20, 180, 180)];
  expect(read(inset, "left_to_right")).toEqual([0, 2, 1]);
});
