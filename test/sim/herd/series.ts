/** How often something happened over time: counts in bins that grow wider when there are too many of them. */
export class Series {
  static readonly #BINS = 4_096;
  binMs = 50;
  #counts = new Float64Array(Series.#BINS);
  #used = 0;

  add(at: number): void {
    while (at >= Series.#BINS * this.binMs) this.#fold();
    const bin = Math.floor(at / this.binMs);
    this.#counts[bin]! += 1;
    this.#used = Math.max(this.#used, bin + 1);
  }

  /** Events in each span of `ms`, a multiple of the width of a bin where it can be, per second. */
  perSecond(ms: number): { readonly ms: number; readonly rates: readonly number[] } {
    const width = Math.max(1, Math.round(ms / this.binMs));
    const rates = [];
    for (let i = 0; i < this.#used; i += width) {
      const sum = this.#counts.subarray(i, Math.min(i + width, this.#used)).reduce((a, b) => a + b, 0);
      rates.push((sum * 1_000) / (width * this.binMs));
    }
    return { ms: width * this.binMs, rates };
  }

  #fold(): void {
    for (let i = 0; i < Series.#BINS; i++) {
      const pair = 2 * i < Series.#BINS ? this.#counts[2 * i]! + this.#counts[2 * i + 1]! : 0;
      this.#counts[i] = pair;
    }
    this.#used = Math.ceil(this.#used / 2);
    this.binMs *= 2;
  }
}
