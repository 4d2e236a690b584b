import { ENGINE_MEMORY_MS, LEAK_MS, type Engine } from '../env/engines.ts';
import type { Failure } from '../api/failure.ts';
import { FAILURE_TRAITS } from './classify.ts';
import { observeRtt, type Rtt } from './liveness.ts';
import type { ReconnectPolicy } from '../api/reconnect-policy.ts';
import type { ProbeVerdict } from '../api/report.ts';

/** What is known of the outage under way. It ends when a replacement is proven. */
export interface Outage {
  /** When it was noticed, on the env's clock. */
  readonly since: number;
  /** Why; undefined for a link that was never up. */
  readonly cause: Failure | undefined;
  /** Dials sent so far. */
  readonly attempts: number;
  /** How many went before the fast lane began: 0, or more when it began anew, as after the network came back. */
  readonly fastLaneStart: number;
  /** Dials that failed fast: somebody answers at the address. */
  readonly fastFailures: number;
  /** Dials that were still hanging at their deadline. */
  readonly timeouts: number;
  /** How the last dial failed. */
  readonly last?: Failure;
  /** Spread the server asked for, in a drain notice or ahead of time, ms. */
  readonly announcedSpreadMs: number;
  /** What the last probe found. */
  readonly evidence?: Evidence | undefined;
}

/** What a probe found. It came on another connection than the dials', so it changes pace and patience and ends nothing. */
export interface Evidence {
  readonly verdict: ProbeVerdict;
  /** How long the server asks to stay away, ms. */
  readonly retryAfterMs?: number;
}

export const newOutage = (since: number, cause: Failure | undefined, announcedSpreadMs = 0): Outage => ({
  since,
  cause,
  attempts: 0,
  fastLaneStart: 0,
  fastFailures: 0,
  timeouts: 0,
  announcedSpreadMs,
});

/** What outlasts an outage: what connecting has cost here, what the engine remembers, what the dial budget holds. */
export interface LinkMemory {
  /** Time from dial to open. */
  readonly connect: Rtt | undefined;
  /** The quickest time from dial to open, ms. Each later dial that opens raises it by a quarter first, so that an old record wears off. */
  readonly quickestMs: number;
  readonly failedAt: readonly number[];
  readonly openedAt: readonly number[];
  readonly failuresInRow: number;
  /** Token bucket: `tokens` as of `at`. */
  readonly tokens: number;
  readonly at: number;
}

export const newMemory = (policy: ReconnectPolicy, now: number): LinkMemory => ({
  connect: undefined,
  quickestMs: Infinity,
  failedAt: [],
  openedAt: [],
  failuresInRow: 0,
  tokens: bucketSize(policy),
  at: now,
});

/** The bucket holds three fast lanes: a second failover right after the first is as fast, and one in 10⁵ needs twenty dials. */
const bucketSize = (policy: ReconnectPolicy): number => 3 * policy.fastAttempts;

const tokensAt = (policy: ReconnectPolicy, memory: LinkMemory, now: number): number =>
  Math.min(bucketSize(policy), memory.tokens + ((now - memory.at) * policy.dialsPerMinute) / 60_000);

const recent = (times: readonly number[], now: number): number[] =>
  times.filter((at) => now - at < ENGINE_MEMORY_MS);

/** Takes one dial from the budget. Only the app's own `reconnect()` dials when it is empty, and leaves no debt. */
export const spendDial = (policy: ReconnectPolicy, memory: LinkMemory, now: number): LinkMemory => ({
  ...memory,
  tokens: Math.max(0, tokensAt(policy, memory, now) - 1),
  at: now,
});

/** Learns from a dial that opened after `tookMs`. */
export const learnOpen = (memory: LinkMemory, tookMs: number, now: number): LinkMemory => ({
  ...memory,
  connect: observeRtt(memory.connect, tookMs),
  quickestMs: Math.min(tookMs, memory.quickestMs * 1.25),
  openedAt: [...recent(memory.openedAt, now), now],
  failuresInRow: 0,
});

/**
 * Counts a dial that failed or was cancelled while it hung, or an open connection that ended. Firefox counts an unclean end;
 * Chromium does not count ends, so its delay is overestimated a little.
 */
export const learnFailure = (memory: LinkMemory, now: number): LinkMemory => ({
  ...memory,
  failedAt: [...recent(memory.failedAt, now), now],
  failuresInRow: memory.failuresInRow + 1,
});

export interface PaceContext {
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: number;
  readonly engine: Engine;
  readonly freshPath: boolean;
  /** When hung handshakes to this host were abandoned, in any tab, oldest first. The engine may still hold their connections. */
  readonly leaks: readonly number[];
  /** Round trip as the heartbeat measured it. */
  readonly rtt: Rtt | undefined;
}

/** Does the last failure, or what a probe has found, say that dialling at once cannot help? */
const needsPause = ({ cause, last, evidence }: Outage): boolean => {
  const failure = last ?? cause;
  return (failure !== undefined && FAILURE_TRAITS[failure.kind].needsPause) || asksToWait(evidence);
};

/** A server that answers on purpose: come back later, or with other credentials. */
const asksToWait = (evidence: Evidence | undefined): boolean =>
  evidence?.verdict === 'overloaded' || evidence?.verdict === 'unauthorized';

const isHang = (failure: Failure | undefined): boolean =>
  failure !== undefined && FAILURE_TRAITS[failure.kind].isHang;

/**
 * Is it time to ask why dials fail? After two failures, after a hang, and then with every fourth dial. A refusal is asked about
 * before each, since it slows the dials down.
 */
export const shouldProbe = ({ attempts, last, evidence }: Outage): boolean =>
  attempts % 4 === 2 || isHang(last) || asksToWait(evidence);

/** How long to wait before the next dial of this outage, ms; 0 is at once. */
export function nextWait(
  policy: ReconnectPolicy,
  outage: Outage,
  memory: LinkMemory,
  context: PaceContext,
): number {
  const { now, random, engine, leaks } = context;
  const missingTokens = 1 - tokensAt(policy, memory, now);
  const budgetMs = (missingTokens * 60_000) / policy.dialsPerMinute;
  const leakMs = leaks.length >= engine.maxAbandons ? leaks[0]! + LEAK_MS - now : 0;
  // A server's Retry-After bounds the pace, but not beyond the cap: the probe may have asked the dead node, not the survivor.
  const retryAfterMs = Math.min(outage.evidence?.retryAfterMs ?? 0, policy.capMs);
  return Math.max(random * longestJitter(policy, outage), budgetMs, leakMs, retryAfterMs);
}

/** The next wait is drawn between 0 and this, ms. */
function longestJitter(policy: ReconnectPolicy, outage: Outage): number {
  const { attempts, cause, last, announcedSpreadMs, fastFailures } = outage;
  // Clients that were told to spread do not arrive as a crowd, so the whole bucket may be their fast lane.
  const laneLength = announcedSpreadMs ? bucketSize(policy) : policy.fastAttempts;
  const beyondLane = attempts - outage.fastLaneStart - laneLength;
  // The cap comes before the jitter: the other way round every client of a crowd waits exactly the same time.
  if (needsPause(outage) || beyondLane >= 0)
    return Math.min(policy.capMs, policy.baseMs * 2 ** Math.max(beyondLane, 0));
  // A link that was never up has no crowd to spread from. Without an announced spread the wait is at most `policy.spreadMs` (20 ms).
  if (!attempts && cause) return Math.max(announcedSpreadMs, policy.spreadMs);
  // A crowd that hung together in a queue must not come back together.
  return fastFailures && isHang(last) ? policy.baseMs : 0;
}

/** Does the budget hold more than `reserve` dials, so that one can go to something less urgent than an outage? */
export const canSpareDial = (
  policy: ReconnectPolicy,
  memory: LinkMemory,
  now: number,
  reserve: number,
): boolean => tokensAt(policy, memory, now) > reserve;

/** Deadlines of one outage that stay short: behind a balancer with one dead half, 1 of 100 outages needs 7 dials. */
const FLAT_DEADLINES = 6;

/** Before anything is learned a handshake gets this many times the floor: about four round trips on a slow mobile link. */
const UNKNOWN_FACTOR = 5;

/**
 * Longest patience with one handshake, ms: three times the queue of 100 000 clients on a survivor that takes 5 000 a second.
 * More would drain larger crowds, but would keep a client for longer at a node that hangs.
 */
export const PATIENCE_MS = 60_000;

/**
 * How long the next handshake is given, ms.
 *
 * A deadline shorter than an overloaded survivor's accept time makes an outage permanent. So evidence decides:
 * - Other dials of this outage failed fast: a hang is probably the survivor queueing, and the dial is given patience that doubles.
 * - Nothing failed fast, or a probe found the app healthy beside a hang: it is probably a black hole. A few short deadlines
 *   are followed by ones that double, so that a crowd gets through whatever it waits for.
 *
 * Short means what connecting has cost here: twice the estimate and four times its variance. The first dial of a page is
 * mostly slow because the page is busy, so the heartbeat's round trip bounds it too: four round trips (TLS needs a little over
 * three), but at least twice the quickest dial. After an announced spread the deadline is at least a quarter of it, because
 * survivors then run close to their limit.
 */
export function nextDeadline(
  policy: ReconnectPolicy,
  outage: Outage,
  memory: LinkMemory,
  context: PaceContext,
): number {
  const { deadlineFloorMs: floor, deadlineCapMs: cap } = policy;
  const { engine, freshPath, now, rtt } = context;
  const { timeouts } = outage;
  const added = engine.addedDelayMs({
    failures: recent(memory.failedAt, now).length,
    opens: recent(memory.openedAt, now).length,
    failuresInRow: memory.failuresInRow,
    freshPath,
  });
  const queueing = outage.fastFailures && !(timeouts && outage.evidence?.verdict === 'healthy');
  const known = memory.connect;
  const quick = rtt ? Math.max(2 * memory.quickestMs, 4 * (rtt.smoothed + 2 * rtt.variance)) : cap;
  const short = known
    ? Math.max(Math.min(2 * known.smoothed + 4 * known.variance, quick), floor, outage.announcedSpreadMs / 4)
    : UNKNOWN_FACTOR * floor;
  const growth = 2 ** Math.max(timeouts - (queueing ? 0 : FLAT_DEADLINES - 1), 0);
  return Math.min((queueing ? 2 * cap : short) * growth, PATIENCE_MS) + added;
}

/** The outage after one more failed dial. */
export const countFailure = (outage: Outage, failure: Failure): Outage => ({
  ...outage,
  last: failure,
  fastFailures: outage.fastFailures + +FAILURE_TRAITS[failure.kind].isFast,
  // A handshake that hung was a wait already, so the fast lane begins anew.
  ...(FAILURE_TRAITS[failure.kind].isHang && {
    timeouts: outage.timeouts + 1,
    fastLaneStart: outage.attempts,
  }),
});
