import type { Random } from '../../support/random.ts';

/**
 * A node that is up, as far as a herd sees it: handshakes are worked off one after the other in the order they came (FIFO), each
 * takes the same time, and one whose client has gone meanwhile costs as much as any, because the node finds out only when it
 * answers. Nothing that happens later changes when a handshake will be answered, so that is known when it arrives.
 */
export class Survivor {
  /** When everything that is queued is worked off. */
  #freeAt = 0;
  readonly #handshakeMs: number;
  readonly #backlog: number;

  /**
   * @param perSecond handshakes it completes
   * @param backlog handshakes that may wait; one that finds it full is not taken, as a SYN is dropped
   */
  constructor(perSecond: number, backlog = Infinity) {
    this.#handshakeMs = 1_000 / perSecond;
    this.#backlog = backlog;
  }

  /** How long a handshake that arrives now waits before it is worked on, ms. */
  waitMs(now: number): number {
    return Math.max(0, this.#freeAt - now);
  }

  /** Takes in a handshake; when it is done, or undefined if there is no room. */
  take(now: number): number | undefined {
    // The one that is worked on waits no more.
    if (this.waitMs(now) > this.#backlog * this.#handshakeMs) return undefined;
    return (this.#freeAt = now + this.waitMs(now) + this.#handshakeMs);
  }
}

/** Where a new connection lands: one of the survivors, or undefined for a dead node. */
export type Toss = (now: number) => number | undefined;

/** A balancer that hashes each new connection to one of its nodes; the dead ones are among them until its check ejects them. */
export function balancer(nodes: number, dead: number, ejectedAt: number, random: Random): Toss {
  const alive = nodes - dead;
  return (now) => {
    const node = Math.floor(random() * (now < ejectedAt ? nodes : alive));
    return node < alive ? node : undefined;
  };
}
