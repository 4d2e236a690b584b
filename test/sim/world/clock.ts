/** Something that is going to happen. */
export interface Task {
  readonly at: number;
  readonly order: number;
  /** Undefined once it is called off or has happened. */
  run: (() => void) | undefined;
}

/** Virtual time: a binary heap of what is going to happen, first by time, then in the order it was asked for. */
export class Clock {
  now = 0;
  readonly #heap: Task[] = [];
  #order = 0;

  after(ms: number, run: () => void): Task {
    return this.at(this.now + Math.max(0, ms), run);
  }

  at(at: number, run: () => void): Task {
    const task: Task = { at: Math.max(at, this.now), order: this.#order++, run };
    const heap = this.#heap;
    let i = heap.push(task) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!earlier(task, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = task;
    return task;
  }

  /** Moves the time on to the next task, and hands it out; undefined if none is due until then. */
  next(until: number): (() => void) | undefined {
    const heap = this.#heap;
    while (heap.length > 0 && heap[0]!.at <= until) {
      const task = heap[0]!;
      const last = heap.pop()!;
      if (heap.length > 0) this.#sink(last);
      const { run } = task;
      if (!run) continue;
      task.run = undefined;
      this.now = task.at;
      return run;
    }
    this.now = until;
    return undefined;
  }

  #sink(task: Task): void {
    const heap = this.#heap;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1]!, heap[child]!)) child += 1;
      if (!earlier(heap[child]!, task)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = task;
  }
}

const earlier = (a: Task, b: Task): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
