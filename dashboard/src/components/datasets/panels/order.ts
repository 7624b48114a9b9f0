// The order in which panels are read, as `crates/dataset/src/comic/order.rs` has it: the numbers follow every change at once.
import type { PageFrame } from "~/api/types";
import type { Panel } from "./frames";

export type ReadingOrder = "left_to_right" | "right_to_left";

/** How far two panels may overlap and still be one after the other, as a share of the smaller one. */
const OVERLAP = 0.3;

/** A panel, and the insets that lie in it. */
type Group = [Panel, ...Panel[]];
type Extent = (frame: PageFrame) => readonly [number, number];

/** Rows from top to bottom, in each row as the order says, and panels of a row that stand one above the other as rows again.
 * An inset comes after the panel that it lies in. */
export function inOrder(panels: readonly Panel[], order: ReadingOrder): Panel[] {
  const groups: Group[] = [];
  // Insets go with what they lie in, which is larger.
  for (const panel of panels.toSorted((a, b) => area(b.frame) - area(a.frame))) {
    const group = groups.find(([outer]) => holds(outer.frame, panel.frame));
    if (group) group.push(panel);
    else groups.push([panel]);
  }
  return rows(groups, order).flatMap(([outer, ...insets]) => [
    outer,
    ...rows(
      insets.map((inset): Group => [inset]),
      order,
    ).flat(),
  ]);
}

const area = ({ width, height }: PageFrame) => width * height;

/** Whether nearly all of another frame lies in this one. */
function holds(one: PageFrame, other: PageFrame): boolean {
  const side = (from: number, length: number, otherFrom: number, otherLength: number) =>
    Math.max(0, Math.min(from + length, otherFrom + otherLength) - Math.max(from, otherFrom));
  const shared =
    side(one.left, one.width, other.left, other.width) * side(one.top, one.height, other.top, other.height);
  return shared * 10 >= area(other) * 9;
}

function rows(groups: readonly Group[], order: ReadingOrder): Group[] {
  const parts = divided(groups, ({ top, height }) => [top, top + height]);
  return parts ? parts.flatMap((row) => columns(row, order)) : columns(groups, order);
}

function columns(groups: readonly Group[], order: ReadingOrder): Group[] {
  if (groups.length < 2) return [...groups];
  const across: Extent = ({ left, width }) =>
    order === "left_to_right" ? [left, left + width] : [-left - width, -left];
  const parts = divided(groups, across);
  if (parts) return parts.flatMap((column) => rows(column, order));
  // Nothing divides them: by their corners.
  const middle = ({ top, height }: PageFrame) => top + Math.floor(height / 2);
  return groups.toSorted(
    ([{ frame: a }], [{ frame: b }]) => middle(a) - middle(b) || across(a)[0] - across(b)[0],
  );
}

/** Divides panels into those that come one after the other in a direction; nothing if they do not. */
function divided(groups: readonly Group[], extent: Extent): Group[][] | undefined {
  const of = ([{ frame }]: Group) => extent(frame);
  const middle = (group: Group) => of(group)[0] + of(group)[1];
  const sorted = groups.toSorted((a, b) => middle(a) - middle(b));
  const isAfter = (before: Group, after: Group) => {
    const [[from, to], [nextFrom, nextTo]] = [of(before), of(after)];
    return to - nextFrom <= OVERLAP * Math.min(to - from, nextTo - nextFrom);
  };
  const parts: Group[][] = [];
  let start = 0;
  for (let at = 1; at < sorted.length; at++) {
    const isCut = sorted.slice(0, at).every((one) => sorted.slice(at).every((other) => isAfter(one, other)));
    if (!isCut) continue;
    parts.push(sorted.slice(start, at));
    start = at;
  }
  if (parts.length === 0) return undefined;
  parts.push(sorted.slice(start));
  return parts;
}
