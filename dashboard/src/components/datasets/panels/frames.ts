// Frames of panels on a page, in its pixels: moved, resized, added, removed.
import type { PageFrame } from "~/api/types";

/** Shortest side of a panel: what the server takes as a picture. */
export const LEAST_SIDE = 64;
/** Most panels of a page. */
export const MOST_FRAMES = 64;

export interface Size {
  width: number;
  height: number;
}

export type Corner = "nw" | "ne" | "sw" | "se";
export const CORNERS: readonly Corner[] = ["nw", "ne", "sw", "se"];

/** A frame that keeps its identity while it is changed. */
export interface Panel {
  id: number;
  frame: PageFrame;
}

const within = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most);

/** A frame in whole pixels that lies on the page and is large enough. */
export function fitted(frame: PageFrame, page: Size): PageFrame {
  const width = within(Math.round(frame.width), LEAST_SIDE, page.width);
  const height = within(Math.round(frame.height), LEAST_SIDE, page.height);
  return {
    left: within(Math.round(frame.left), 0, page.width - width),
    top: within(Math.round(frame.top), 0, page.height - height),
    width,
    height,
  };
}

/** The frame elsewhere; it stops at the edges of the page. */
export function moved(frame: PageFrame, x: number, y: number, page: Size): PageFrame {
  return fitted({ ...frame, left: frame.left + x, top: frame.top + y }, page);
}

/** The frame with one corner elsewhere; the opposite one stays. */
export function resized(frame: PageFrame, corner: Corner, x: number, y: number, page: Size): PageFrame {
  const right = frame.left + frame.width;
  const bottom = frame.top + frame.height;
  const isLeft = corner === "nw" || corner === "sw";
  const isUpper = corner === "nw" || corner === "ne";
  const left = isLeft ? within(Math.round(frame.left + x), 0, right - LEAST_SIDE) : frame.left;
  const top = isUpper ? within(Math.round(frame.top + y), 0, bottom - LEAST_SIDE) : frame.top;
  const end = (at: number, from: number, most: number) => within(Math.round(at), from + LEAST_SIDE, most);
  return {
    left,
    top,
    width: (isLeft ? right : end(right + x, left, page.width)) - left,
    height: (isUpper ? bottom : end(bottom + y, top, page.height)) - top,
  };
}

/** What a key does to a frame; nothing if it does nothing. A step is a hundredth of the page's longer side. */
export function pressed(frame: PageFrame, key: string, shift: boolean, page: Size): PageFrame | undefined {
  const step = Math.max(1, Math.round(Math.max(page.width, page.height) / 100));
  const [x, y] =
    key === "ArrowLeft"
      ? [-step, 0]
      : key === "ArrowRight"
        ? [step, 0]
        : key === "ArrowUp"
          ? [0, -step]
          : key === "ArrowDown"
            ? [0, step]
            : [0, 0];
  if (x === 0 && y === 0) return undefined;
  return shift ? resized(frame, "se", x, y, page) : moved(frame, x, y, page);
}

/** A new frame in the middle of the page, beside those that are in the same place already. */
export function added(panels: readonly Panel[], page: Size): Panel[] {
  if (panels.length >= MOST_FRAMES) return [...panels];
  const [width, height] = [page.width / 3, page.height / 3];
  const step = Math.max(8, Math.round(page.width / 40));
  let frame = fitted({ left: width, top: height, width, height }, page);
  const isTaken = (at: PageFrame) =>
    panels.some(({ frame: { left, top } }) => left === at.left && top === at.top);
  for (let n = 1; n < MOST_FRAMES && isTaken(frame); n++) frame = moved(frame, step, step, page);
  return [...panels, { id: Math.max(-1, ...panels.map(({ id }) => id)) + 1, frame }];
}

/** Frames as the server found them, without those that are too small to be cut out. */
export function panelsOf(found: readonly PageFrame[], page: Size): Panel[] {
  return found
    .filter(({ width, height }) => Math.min(width, height) >= LEAST_SIDE)
    .slice(0, MOST_FRAMES)
    .map((frame, id) => ({ id, frame: fitted(frame, page) }));
}
