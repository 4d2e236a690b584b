import type { Random } from '../../support/random.ts';

/** How a dial failed. */
export type Failed = 'refused' | 'timeout';

/** What a question over HTTP found. */
export type Answer = 'gateway' | 'healthy' | 'unreachable';

/**
 * The clients of a herd, all of one kind, by number. A wait is the time until the next dial goes out, in ms; a deadline the time
 * it is given.
 */
export interface Crowd {
  /** Its connection is gone. Returns the first wait. */
  lost(client: number, now: number): number;
  /** The dial goes out. Returns its deadline. */
  dial(client: number, now: number): number;
  /** Returns the next wait, Infinity if there is none. */
  failed(client: number, how: Failed, now: number): number;
  /** It is served. */
  opened(client: number, tookMs: number, now: number): void;
  /**
   * When it notices that a node which died at 0 answers no more, ms; Infinity if never. `luck` in [0, 1): at what moment of its
   * heartbeat that hit it.
   */
  silentFor(client: number, luck: number): number;
  /** Does it want to ask over HTTP now why its dials fail? What the answer is worth it learns by `asked`. */
  asks?(client: number, now: number): boolean;
  asked?(client: number, verdict: Answer, now: number): void;
}

/** What a crowd finds itself in. */
export interface Surroundings {
  readonly clients: number;
  readonly random: Random;
  readonly rttMs: (client: number) => number;
  /** What connecting costs a client while nothing is amiss. */
  readonly usualMs: (client: number) => number;
  /** What the node had asked its clients to spread over if it dies. */
  readonly spreadMs: number;
  /** The node falls silent; otherwise its connections end. */
  readonly silent: boolean;
}

export type NewCrowd = (surroundings: Surroundings) => Crowd;
