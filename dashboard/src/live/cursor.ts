// The step that is looked at, on the curve, among the rows or with keys: each lights the others. React renders only what
// changes.

type From = "curve" | "rows" | "keys";

/** How far from a mark the curve still means it, as a part of all steps that are shown. */
const REACH = 0.02;

export class StepCursor {
  private at: { step: number; from: From } | null = null;
  private span = 0;
  private readonly listeners = new Set<() => void>();
  /** Steps that have a row, ascending. */
  private stops: readonly number[] = [];

  get marks(): readonly number[] {
    return this.stops;
  }

  /** Says which steps have rows, and how many steps there are. */
  setMarks(marks: readonly number[], nSteps: number): void {
    if (this.span === nSteps && sameNumbers(marks, this.stops)) return;
    this.stops = marks;
    this.span = nSteps;
    this.changed();
  }

  point(step: number, from: From): void {
    if (this.at?.step === step && this.at.from === from) return;
    this.at = { step, from };
    this.changed();
  }

  /** Nothing is pointed at from there any more. */
  leave(from: From): void {
    if (this.at?.from !== from) return;
    this.at = null;
    this.changed();
  }

  /** The step that is pointed at. */
  get step(): number | null {
    return this.at?.step ?? null;
  }

  get isOnCurve(): boolean {
    return this.at?.from === "curve";
  }

  get isAmongRows(): boolean {
    return this.at?.from === "rows";
  }

  /** The step that the legend of the curve tells of: the very one that the keys are at, else the mark that is lit. */
  told(): number | null {
    return this.at?.from === "keys" ? this.at.step : this.lit();
  }

  /** The mark that is lit: the one that is pointed at, or the nearest to where the curve or the keys are. */
  lit(): number | null {
    if (!this.at) return null;
    const { step, from } = this.at;
    return nearest(this.stops, step, from === "rows" ? 0 : Math.max(0.5, this.span * REACH));
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

/** The mark nearest to a step, if it is near enough. */
export function nearest(marks: readonly number[], step: number, reach: number): number | null {
  let best: number | null = null;
  for (const mark of marks) {
    if (best === null || Math.abs(mark - step) < Math.abs(best - step)) best = mark;
  }
  return best !== null && Math.abs(best - step) <= reach ? best : null;
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
