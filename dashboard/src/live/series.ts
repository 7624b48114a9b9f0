// The curves of one job, in typed arrays that grow: React never sees a point.
import type { Metrics, StepMetrics } from "~/api/types";

const COLUMNS = ["step", "loss", "average", "rate"] as const;
type Column = (typeof COLUMNS)[number];

/** Data of a chart: views, valid until the next change. */
export type Columns = Record<Column, Float64Array>;

/** Losses by step, ascending, each step once. */
export class Series {
  private columns: Columns;
  private n = 0;
  private readonly listeners = new Set<() => void>();
  /** Validation losses: step and loss. */
  validation: [number, number][] = [];
  /** Incremented with each change. */
  version = 0;

  constructor(capacity = 1024) {
    this.columns = allocate(capacity);
  }

  get length(): number {
    return this.n;
  }

  /** The newest step; 0 before the first. */
  get lastStep(): number {
    return this.n === 0 ? 0 : (this.columns.step[this.n - 1] ?? 0);
  }

  view(): Columns {
    return Object.fromEntries(
      COLUMNS.map((name) => [name, this.columns[name].subarray(0, this.n)]),
    ) as unknown as Columns;
  }

  /** Replaces all data with the server's. */
  load(metrics: Omit<Metrics, "validation"> & { validation: number[][] }): void {
    this.columns = allocate(Math.max(1024, metrics.step.length * 2));
    this.n = 0;
    for (let i = 0; i < metrics.step.length; i++) {
      this.append(
        metrics.step[i] ?? 0,
        metrics.loss[i] ?? Number.NaN,
        metrics.average_loss[i] ?? Number.NaN,
        metrics.learning_rate[i] ?? Number.NaN,
      );
    }
    this.validation = metrics.validation.map(([step, loss]) => [Number(step), Number(loss)]);
    this.changed();
  }

  /** Adds a step. A resumed attempt repeats steps after its checkpoint: newer values replace older ones. */
  push({ step, loss, average_loss, learning_rate }: StepMetrics): void {
    while (this.n > 0 && (this.columns.step[this.n - 1] ?? 0) >= step) this.n -= 1;
    this.append(step, loss, average_loss, learning_rate);
    this.changed();
  }

  pushValidation(step: number, loss: number): void {
    this.validation = [...this.validation.filter(([other]) => other < step), [step, loss]];
    this.changed();
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private append(step: number, loss: number, average: number, rate: number): void {
    if (this.n === this.columns.step.length) {
      const grown = allocate(this.n * 2);
      for (const name of COLUMNS) grown[name].set(this.columns[name]);
      this.columns = grown;
    }
    this.columns.step[this.n] = step;
    this.columns.loss[this.n] = loss;
    this.columns.average[this.n] = average;
    this.columns.rate[this.n] = rate;
    this.n += 1;
  }

  private changed(): void {
    this.version += 1;
    for (const listener of this.listeners) listener();
  }
}

function allocate(capacity: number): Columns {
  return {
    step: new Float64Array(capacity),
    loss: new Float64Array(capacity),
    average: new Float64Array(capacity),
    rate: new Float64Array(capacity),
  };
}
