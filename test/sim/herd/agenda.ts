/**
 * What is to happen, in order of time: a 4-ary heap in typed arrays, since an agenda of a million clients fits no objects.
 * Entries of the same instant come out in the order they went in, so that a seed means one and the same run.
 */
export class Agenda {
  #size = 0;
  #entered = 0;
  #at: Float64Array;
  #order: Float64Array;
  #what: Int32Array;

  constructor(capacity: number) {
    this.#at = new Float64Array(capacity);
    this.#order = new Float64Array(capacity);
    this.#what = new Int32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** When the next entry is due, ms; Infinity if there is none. */
  get nextAt(): number {
    return this.#size > 0 ? this.#at[0]! : Infinity;
  }

  add(at: number, what: number): void {
    let i = this.#size++;
    if (i >= this.#at.length) throw new RangeError(`agenda: more than ${i} entries`);
    const order = this.#entered++;
    while (i > 0) {
      const parent = (i - 1) >> 2;
      if (!this.#isLater(parent, at, order)) break;
      this.#move(parent, i);
      i = parent;
    }
    this.#put(i, at, order, what);
  }

  /** Takes the next entry out. */
  next(): number {
    const first = this.#what[0]!;
    const last = --this.#size;
    const at = this.#at[last]!;
    const order = this.#order[last]!;
    const what = this.#what[last]!;
    let i = 0;
    for (;;) {
      let least = 4 * i + 1;
      if (least >= last) break;
      for (let child = least + 1; child < Math.min(4 * i + 5, last); child++) {
        if (this.#isLater(least, this.#at[child]!, this.#order[child]!)) least = child;
      }
      if (this.#isLater(least, at, order)) break;
      this.#move(least, i);
      i = least;
    }
    this.#put(i, at, order, what);
    return first;
  }

  #isLater(i: number, at: number, order: number): boolean {
    return this.#at[i]! > at || (this.#at[i] === at && this.#order[i]! > order);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#at[from]!, this.#order[from]!, this.#what[from]!);
  }

  #put(i: number, at: number, order: number, what: number): void {
    this.#at[i] = at;
    this.#order[i] = order;
    this.#what[i] = what;
  }
}
