import { ENGINE_MEMORY_MS, type Engine } from './engine.ts';
import { failedFast, type Failure, type FailureKind } from './failure.ts';
import { observeRtt, overdueAfter, type Rtt } from './liveness.ts';
import type { ReconnectPolicy } from './policies.ts';

/** What is known of the outage under way; gone when a replacement is proven. */
export interface Outage {
  /** When it was noticed, on the env's clock. */
  readonly since: number;
  /** Why; undefined for a link that was never up. */
  readonly cause: Failure | undefined;
  /** Dials sent so far. */
  readonly attempts: number;
  /** Dials that failed fast: somebody answers for the address. */
  readonly fastFailures: number;
  /** Dials that were still hanging at their deadline. */
  readonly timeouts: number;
  /** How the last dial failed. */
  readonly last: Failure | undefined;
  /** Spread the server asked for when it announced that it goes away, ms. */
  readonly announcedSpreadMs: number;
}

export const newOutage = (since: number, cause: Failure | undefined, announcedSpreadMs = 0): Outage => ({
  since,
  cause,
  attempts: 0,
  fastFailures: 0,
  timeouts: 0,
  last: undefined,
  announcedSpreadMs,
});

/** What outlasts an outage: what connecting has cost here, what the engine remembers, what may still be dialled. */
export interface Memory {
  /** From dial to open. */
  readonly connect: Rtt | undefined;
  readonly failedAt: readonly number[];
  readonly openedAt: readonly number[];
  readonly failuresInRow: number;
  readonly abandonedAt: readonly number[];
  /** Token bucket: `tokens` as of `at`. */
  readonly tokens: number;
  readonly at: number;
}

export const newMemory = (policy: ReconnectPolicy, now: number): Memory => ({
  connect: undefined,
  failedAt: [],
  openedAt: [],
  failuresInRow: 0,
  abandonedAt: [],
  tokens: burst(policy),
  at: now,
});

/** The bucket holds two fast lanes, so that a second failover right after the first is as fast. */
const burst = (policy: ReconnectPolicy): number => 2 * policy.fastAttempts;

const tokensAt = (policy: ReconnectPolicy, memory: Memory, now: number): number =>
  Math.min(burst(policy), memory.tokens + ((now - memory.at) * policy.dialsPerMinute) / 60_000);

const recent = (times: readonly number[], now: number): number[] =>
  times.filter((at) => now - at < ENGINE_MEMORY_MS);

/** Takes one dial from the budget. Only the app's own `reconnect()` dials without one, and leaves no debt. */
export const spendDial = (policy: ReconnectPolicy, memory: Memory, now: number): Memory => ({
  ...memory,
  tokens: Math.max(0, tokensAt(policy, memory, now) - 1),
  at: now,
});

/** Learns from a dial that opened after `tookMs`. */
export const learnOpen = (memory: Memory, tookMs: number, now: number): Memory => ({
  ...memory,
  connect: observeRtt(memory.connect, tookMs),
  openedAt: [...recent(memory.openedAt, now), now],
  failuresInRow: 0,
});

/** Learns from a dial that failed, or (in Firefox) from an open socket that ended uncleanly. */
export const learnFailure = (memory: Memory, abandoned: boolean, now: number): Memory => ({
  ...memory,
  failedAt: [...recent(memory.failedAt, now), now],
  failuresInRow: memory.failuresInRow + 1,
  abandonedAt: abandoned ? [...recent(memory.abandonedAt, now), now] : memory.abandonedAt,
});

export interface PaceContext {
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: number;
  readonly engine: Engine;
  readonly freshPath: boolean;
}

/** Failures after which dialling at once cannot help. */
const UNHURRIED: (FailureKind | undefined)[] = ['overloaded', 'unauthorized', 'provider'];

/** How long to wait before the next dial of this outage, ms. 0 is at once. */
export function nextWait(
  policy: ReconnectPolicy,
  outage: Outage,
  memory: Memory,
  context: PaceContext,
): number {
  const { attempts, cause, announcedSpreadMs } = outage;
  const lane = attempts - policy.fastAttempts;
  const slow = UNHURRIED.includes((outage.last ?? cause)?.kind);
  let wait = 0;
  if (slow || lane >= 0) {
    // Cap first, then jitter: the other way round every client of a crowd waits exactly the same.
    wait = context.random * Math.min(policy.capMs, policy.baseMs * 2 ** Math.max(lane, 0));
  } else if (attempts === 0 && cause) {
    // A link that was never up has no crowd to spread from; a lone client is never held back by more than 20 ms.
    wait = context.random * Math.max(announcedSpreadMs, policy.spreadMs);
  }
  const { now, engine } = context;
  const missing = 1 - tokensAt(policy, memory, now);
  const leaked = recent(memory.abandonedAt, now);
  const full = leaked.length >= engine.maxAbandons ? leaked[0]! + ENGINE_MEMORY_MS - now : 0;
  return Math.max(wait, (missing * 60_000) / policy.dialsPerMinute, full);
}

/** So many deadlines of one outage stay short: a balancer with one dead half needs 7 dials in 1 of 100 outages. */
const FLAT_DEADLINES = 6;

/** Before anything is learned a handshake gets so many times the floor: about four round trips on a slow mobile link. */
const UNKNOWN_FACTOR = 5;

/**
 * How long the next handshake is given, ms. A deadline shorter than an overloaded survivor's accept time makes an outage
 * permanent, so: when other dials of this outage failed fast, a hang is probably the survivor queueing, and we are patient.
 * When nothing failed fast it is probably a black hole: a few flat short deadlines, then growing ones.
 */
export function nextDeadline(
  policy: ReconnectPolicy,
  outage: Outage,
  memory: Memory,
  context: PaceContext,
): number {
  const { deadlineFloorMs: floor, deadlineCapMs: cap } = policy;
  const { engine, freshPath, now } = context;
  const added = engine.addedDelayMs({
    failures: recent(memory.failedAt, now).length,
    opens: recent(memory.openedAt, now).length,
    failuresInRow: memory.failuresInRow,
    freshPath,
  });
  // From here on only the engine itself may give up.
  if (recent(memory.abandonedAt, now).length >= engine.freeAbandons)
    return engine.openTimeoutMs * 1.25 + added;
  if (outage.fastFailures > 0) return cap + added;
  const known = memory.connect;
  const usual = known
    ? overdueAfter({ smoothed: 2 * known.smoothed, variance: known.variance }, floor, cap)
    : Math.min(UNKNOWN_FACTOR * floor, cap);
  const growth = 2 ** Math.max(0, outage.timeouts - FLAT_DEADLINES + 1);
  return Math.min(usual * growth, cap) + added;
}

/** The outage after one more failed dial. */
export const countFailure = (outage: Outage, failure: Failure): Outage => ({
  ...outage,
  last: failure,
  fastFailures: outage.fastFailures + (failedFast(failure.kind) ? 1 : 0),
  timeouts: outage.timeouts + (failure.kind === 'timeout' ? 1 : 0),
});
