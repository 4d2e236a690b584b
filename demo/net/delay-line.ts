/**
 * Node's timers fire 0.1 to 1.2 ms late (measured): they take whole milliseconds, rounded up, and wait for the event loop.
 * So a timer is set earlier by the mean, and what is due within the tolerance leaves with it. That keeps the average delay
 * exact. Both in ms.
 */
const lateness = 0.6;
const tolerance = 0.9;

interface Item {
  due: number;
  bytes: number;
  deliver: () => void;
}

/**
 * One direction of a connection through a network with latency: items leave in the order they came, each after its delay.
 * There is one queue and one timer, because a timer per chunk could reorder them. The line holds its items while it is
 * `frozen` (the network delivers nothing) or `blocked` (the receiver is full).
 */
export class DelayLine {
  readonly #queue: Item[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lastDue = 0;
  #frozen = false;
  #blocked = false;
  #pumping = false;
  #bytes = 0;

  /** @param onDelivered called after deliveries with the number of bytes still on the line */
  constructor(private readonly onDelivered: (bytes: number) => void = () => {}) {}

  /** Number of bytes on the line. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param delayMs travel time, in ms
   * @param notBefore the earliest moment the sender could have sent it, in ms of `performance.now()`
   */
  push(delayMs: number, bytes: number, deliver: () => void, notBefore = 0): void {
    // Never before its predecessor, even when the delay has become shorter in between.
    const due = Math.max(Math.max(performance.now(), notBefore) + delayMs, this.#lastDue);
    this.#lastDue = due;
    this.#bytes += bytes;
    this.#queue.push({ due, bytes, deliver });
    if (this.#timer === undefined) this.#pump();
  }

  set frozen(frozen: boolean) {
    this.#frozen = frozen;
    this.#pump();
  }

  set blocked(blocked: boolean) {
    this.#blocked = blocked;
    if (!blocked) this.#pump();
  }

  /** Drops everything on the line. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queue.length = 0;
    this.#bytes = 0;
  }

  #pump(): void {
    // A delivery may itself block, unblock, clear or extend this line.
    if (this.#pumping) return;
    this.#pumping = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let delivered = false;
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined || this.#frozen || this.#blocked) break;
      const wait = next.due - performance.now();
      if (wait > tolerance) {
        this.#timer = setTimeout(() => this.#pump(), Math.max(1, Math.round(wait - lateness)));
        break;
      }
      this.#queue.shift();
      this.#bytes -= next.bytes;
      next.deliver();
      delivered = true;
    }
    this.#pumping = false;
    if (delivered) this.onDelivered(this.#bytes);
  }
}
