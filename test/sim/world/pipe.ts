import type { Clock } from './clock.ts';

/** One direction of a connection: everything arrives, in order, some time later, unless it is stuck or cut. */
export class Pipe {
  readonly #clock: Clock;
  readonly #latency: () => number;
  #queue: { readonly at: number; readonly arrive: () => void }[] = [];
  #lastAt = 0;
  #stuckUntil = 0;
  #moving = false;
  #cut = false;

  constructor(clock: Clock, latency: () => number) {
    this.#clock = clock;
    this.#latency = latency;
  }

  push(arrive: () => void): void {
    if (this.#cut) return;
    // What was lost is sent again by TCP, and holds up whatever comes after it.
    const at = (this.#lastAt = Math.max(this.#lastAt, this.#clock.now + this.#latency()));
    this.#queue.push({ at, arrive });
    this.#move();
  }

  /** Nothing arrives before that; Infinity: until `release`. */
  stall(until: number): void {
    this.#stuckUntil = Math.max(this.#stuckUntil, until);
  }

  release(): void {
    this.#stuckUntil = 0;
    this.#move();
  }

  /** Whatever is under way, or will be sent, never arrives. */
  cut(): void {
    this.#cut = true;
    this.#queue = [];
  }

  #move(): void {
    const head = this.#queue[0];
    if (this.#moving || !head) return;
    const at = Math.max(head.at, this.#stuckUntil);
    if (at === Infinity) return;
    this.#moving = true;
    this.#clock.at(at, () => {
      this.#moving = false;
      const { now } = this.#clock;
      if (this.#queue[0] === head && now >= this.#stuckUntil) {
        this.#queue.shift();
        head.arrive();
      }
      this.#move();
    });
  }
}
