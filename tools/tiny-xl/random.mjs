// Seeded random choices (the mulberry32 generator), so that the same seed renders the same pictures.

export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** A number in [0, 1). */
  next() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** True with the given probability. */
  chance(probability) {
    return this.next() < probability;
  }

  /** One of a list. */
  pick(list) {
    return list[Math.floor(this.next() * list.length)];
  }

  /** One of the words of a table. */
  word(table) {
    return this.pick(Object.keys(table));
  }

  /** The list in another order. */
  shuffle(list) {
    return list
      .map((item) => [this.next(), item])
      .sort((a, b) => a[0] - b[0])
      .map(([, item]) => item);
  }
}
