import type { Env } from '../env/env.ts';
import type { Stats } from '../api/events.ts';
import type { FailureKind } from '../api/failure.ts';
import type { AttemptReport, FailoverReport, ProbeReport } from '../api/report.ts';
import type { Attempt } from './attempt.ts';
import type { Connection } from './connection.ts';
import { redactUrl } from './endpoints.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The counters of a link. The heartbeat and the queue count for themselves. */
export type LinkCounts = Mutable<
  Omit<Stats, 'pingsSent' | 'rttMs' | 'rttVarMs' | 'queuedMessages' | 'queuedBytes'>
>;

/** The report of the outage under way. Fields that are known only at its end are missing until then. */
interface ReportDraft extends Mutable<FailoverReport> {
  attempts: AttemptReport[];
  probes: ProbeReport[];
}

/** Bound for attempts and for probes: an outage of days must not fill the memory. Entries in the middle are dropped first. */
const MAX_ENTRIES = 100;

export interface Recorder {
  readonly counts: LinkCounts;
  /** Identity of the outage under way, to compare; undefined while all is well. */
  readonly outage: object | undefined;
  /** Opens the report of an outage, unless one is open already. */
  beginOutage(cause: FailureKind, detectedAfterMs: number, from: Connection | undefined): void;
  /** Drops the report if no replacement has come up: then nothing was given up, and there is nothing to report. */
  discardIfNotReplaced(): void;
  /** Adds a dial's outcome to the report, if one is open. Returns it frozen, for the event. */
  addAttempt(attempt: Attempt, outcome: AttemptReport['outcome']): AttemptReport;
  addProbe(report: ProbeReport): void;
  /** Notes when the connection that is being replaced was last heard: `downMs` starts there. */
  noteReplaced(connection: Connection): void;
  addUnconfirmed(count: number): void;
  /** Notes that a replacement is up. */
  noteUp(): void;
  addFlushed(count: number): void;
  /**
   * Closes the report: the outage is over.
   * @param on the connection that ended it
   * @param replayed resolves when everything is replayed, with how much that was
   * @param publish receives the finished, frozen report; not called if no report is open
   */
  finish(on: Connection, replayed: () => Promise<number>, publish: (report: FailoverReport) => void): void;
}

/** Collects what happens during an outage and builds its `FailoverReport`. */
export function createRecorder(env: Env): Recorder {
  const counts: LinkCounts = {
    dials: 0,
    dialFailures: 0,
    opens: 0,
    failovers: 0,
    suspicions: 0,
    hedgesCancelled: 0,
    framesSent: 0,
    framesReceived: 0,
  };
  let draft: ReportDraft | undefined;
  /** When the connection that is being given up was last heard, on the env's clock. */
  let lastInboundAt = 0;

  const unixNow = () => env.timeOrigin + env.now();

  const complete = (of: ReportDraft, on: Connection, replayed: number): FailoverReport => {
    of.replayMs = unixNow() - of.startedAt - of.upAfterMs;
    of.replayed = replayed;
    if (on.node !== undefined) of.toNode = on.node;
    Object.freeze(of.attempts);
    Object.freeze(of.probes);
    return Object.freeze(of);
  };

  return {
    counts,
    get outage() {
      return draft;
    },
    beginOutage(cause, detectedAfterMs, from) {
      if (draft) return;
      lastInboundAt = from?.lastInboundAt ?? env.now();
      draft = newDraft(cause, unixNow(), detectedAfterMs, from?.node);
    },
    discardIfNotReplaced() {
      if (draft?.upAfterMs === undefined) draft = undefined;
    },
    addAttempt(attempt, outcome) {
      const report = Object.freeze({
        url: redactUrl(attempt.endpoint?.url),
        startedAt: env.timeOrigin + attempt.startedAt,
        waitedMs: attempt.waitedMs,
        durationMs: env.now() - attempt.startedAt,
        outcome,
        ...(attempt.promoted && { standby: true as const }),
      });
      if (draft) pushBounded(draft.attempts, report);
      return report;
    },
    addProbe(report) {
      if (draft) pushBounded(draft.probes, report);
    },
    noteReplaced(connection) {
      lastInboundAt = connection.lastInboundAt;
    },
    addUnconfirmed(count) {
      if (draft) draft.unconfirmedSends += count;
    },
    noteUp() {
      if (draft) draft.upAfterMs = unixNow() - draft.startedAt;
    },
    addFlushed(count) {
      if (draft) draft.queuedFlushed += count;
    },
    finish(on, replayed, publish) {
      const of = draft;
      draft = undefined;
      if (!of) return;
      of.downMs = Math.max(0, (on.firstInboundAt ?? env.now()) - lastInboundAt);
      void replayed().then((count) => {
        const report = complete(of, on, count);
        counts.failovers += 1;
        env.measure('failover', of.startedAt - env.timeOrigin, env.now(), report);
        publish(report);
      });
    },
  };
}

function pushBounded<T>(entries: T[], entry: T): void {
  if (entries.length >= MAX_ENTRIES) entries.splice(MAX_ENTRIES / 2, 1);
  entries.push(entry);
}

/** @param startedAt when the outage was noticed, Unix time in ms */
const newDraft = (
  cause: FailureKind,
  startedAt: number,
  detectedAfterMs: number,
  fromNode: string | undefined,
): ReportDraft =>
  ({
    cause,
    startedAt,
    detectedAfterMs,
    attempts: [],
    probes: [],
    ...(fromNode === undefined ? {} : { fromNode }),
    queuedFlushed: 0,
    unconfirmedSends: 0,
  }) as unknown as ReportDraft;
