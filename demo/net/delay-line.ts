/**
 * Timers here fire 0.1 to 1.2 ms late (whole milliseconds, rounded up, and the loop's own turn). So they are set earlier by
 * the mean of that, and what is due within the rest is delivered with them: no bias over many deliveries, in ms.
 */
const lateness = 0.6;
const tolerance = 0.9;

interface Item {
  due: number;
  bytes: number;
  deliver: () => void;
}

/**
 * One direction of a connection over a network with latency: what goes in comes out in order, each after its delay. One
 * queue and one timer, since a timer per chunk could reorder them. While `frozen` (the network swallows everything) or
 * `blocked` (the receiver is full) it keeps what it has.
 */
export class DelayLine {
  readonly #queue: Item[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lastDue = 0;
  #frozen = false;
  #blocked = false;
  #pumping = false;
  #bytes = 0;

  /** @param onDelivered called after deliveries, with the number of bytes still held */
  constructor(private readonly onDelivered: (bytes: number) => void = () => {}) {}

  /** Bytes under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param delayMs how long it takes from here to there
   * @param notBefore on the clock of `performance.now()`: the earliest moment the sender could have sent it
   */
  push(delayMs: number, bytes: number, deliver: () => void, notBefore = 0): void {
    // Never before its predecessor, also when the delay has been lowered in between.
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

  /** Forgets everything under way. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queue.length = 0;
    this.#bytes = 0;
  }

  #pump(): void {
    // A delivery may block, unblock or clear this line, or push into it.
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
