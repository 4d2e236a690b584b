import type { Connection } from './connection.ts';
import type { Failure } from './failure.ts';
import type { AttemptReport, FailoverReport, ProbeReport } from './report.ts';

/** An outage of days must not fill the memory: of more dials than this the middle ones are forgotten. */
const MAX_ATTEMPTS = 100;

/** Gathers what happens during one outage and tells it as a FailoverReport. Instants on the env's clock. */
export class Story {
  readonly attempts: AttemptReport[] = [];
  readonly probes: ProbeReport[] = [];
  upAt = 0;
  queuedFlushed = 0;
  #unconfirmed = 0;
  readonly #lastHeardAt: number;
  readonly #from: Connection | undefined;

  constructor(
    readonly cause: Failure,
    readonly startedAt: number,
    readonly detectedAfterMs: number,
    old: Connection | undefined,
  ) {
    this.#from = old;
    this.#lastHeardAt = old?.life.heardAt ?? startedAt;
  }

  addAttempt(attempt: AttemptReport): void {
    if (this.attempts.length >= MAX_ATTEMPTS) this.attempts.splice(MAX_ATTEMPTS / 2, 1);
    this.attempts.push(attempt);
  }

  addProbe(probe: ProbeReport): void {
    if (this.probes.length >= MAX_ATTEMPTS) this.probes.splice(MAX_ATTEMPTS / 2, 1);
    this.probes.push(probe);
  }

  /** A connection of this outage is given up: what it may not have delivered counts. */
  lose(connection: Connection): void {
    this.#unconfirmed += connection.unconfirmed;
  }

  tell(current: Connection, replayedAt: number, replayed: number, timeOrigin: number): FailoverReport {
    const from = this.#from?.node;
    const to = current.node;
    return Object.freeze({
      cause: this.cause.kind,
      startedAt: timeOrigin + this.startedAt,
      detectedAfterMs: this.detectedAfterMs,
      attempts: Object.freeze([...this.attempts]),
      probes: Object.freeze([...this.probes]),
      ...(from === undefined ? {} : { fromNode: from }),
      ...(to === undefined ? {} : { toNode: to }),
      upAfterMs: this.upAt - this.startedAt,
      downMs: Math.max(0, (current.firstHeardAt ?? this.upAt) - this.#lastHeardAt),
      replayMs: replayedAt - this.upAt,
      replayed,
      queuedFlushed: this.queuedFlushed,
      unconfirmedSends: this.#unconfirmed,
    });
  }
}
