/** Whether anything was lost while nodes came and went. All in ms; instants are Unix time. */
import type { Attempt, Dial } from './outcome.ts';

/** Time without a link: no socket that was open and had proven itself by a frame. */
export interface Gaps {
  readonly count: number;
  readonly longestMs: number;
}

export function gapsOf(dials: readonly Dial[], from: number, to: number): Gaps {
  const links = dials
    .flatMap(({ proven, end = Infinity }) => (proven === undefined ? [] : [[proven, end] as const]))
    .sort(([x], [y]) => x - y);
  const gaps: number[] = [];
  let covered = from;
  for (const [start, end] of [...links, [to, to] as const]) {
    if (start > covered && covered < to) gaps.push(Math.min(start, to) - covered);
    covered = Math.max(covered, end);
  }
  return { count: gaps.length, longestMs: Math.max(0, ...gaps) };
}

/** A call of a page: `ok` or `error` when it has settled, `ms` after it was made. */
export interface Call {
  readonly kind: 'add' | 'remove' | 'count' | 'echo';
  /** The todo, or the counter. */
  readonly id: string;
  readonly at: number;
  readonly ms?: number;
  readonly ok?: boolean;
  readonly error?: string;
}

export interface CallAccount {
  readonly made: number;
  /** Never settled, or said to be done while the app was never told of the todo, or counted although the counter stands at 0. */
  readonly lost: number;
  /** Todos the app was told of more than once. */
  readonly doubled: number;
  /** Rejected. */
  readonly failed: number;
  /** Ran more than once on the server: allowed, unless `retry: false` forbids it. */
  readonly ranTwice: number;
  readonly slowestMs: number;
}

/**
 * @param added how often the page's app was told of each todo
 * @param counters where each counter stands at the end
 */
export function accountOf(
  calls: readonly Call[],
  added: Readonly<Record<string, number>>,
  counters: Readonly<Record<string, number>>,
): CallAccount {
  const done = calls.filter(({ ok }) => ok === true);
  const times = (kind: Call['kind'], of: Readonly<Record<string, number>>): number[] =>
    done.filter((call) => call.kind === kind).map(({ id }) => of[id] ?? 0);
  const adds = times('add', added);
  const counts = times('count', counters);
  const unsettled = calls.filter(({ ms }) => ms === undefined).length;
  return {
    made: calls.length,
    lost: unsettled + [...adds, ...counts].filter((n) => n === 0).length,
    doubled: adds.filter((n) => n > 1).length,
    failed: calls.filter(({ error }) => error !== undefined).length,
    ranTwice: counts.filter((n) => n > 1).length,
    slowestMs: Math.max(0, ...done.map(({ ms = 0 }) => ms)),
  };
}

/** Attempts ended by their deadline although nobody but another tab kept them waiting. */
export function falseDeadlines(
  tabs: readonly {
    readonly attempts: readonly Attempt[];
    readonly dials: readonly Dial[];
  }[],
  /** Some node keeps handshakes hanging; otherwise every deadline is a false one. */
  hanging: boolean,
): number {
  return tabs.flatMap(({ attempts }, tab) =>
    attempts.filter(({ startedAt, outcome }) => {
      if (outcome !== 'timeout' || !hanging) return outcome === 'timeout';
      // An engine opens one handshake per address at a time: who came first and had no answer yet was in the way.
      return tabs.some(
        ({ dials }, other) =>
          other !== tab &&
          dials.some(
            ({ start, open = Infinity, end = Infinity }) =>
              start < startedAt && Math.min(open, end) > startedAt,
          ),
      );
    }),
  ).length;
}

/** The most events in any window of this length. */
export function mostWithin(instants: readonly number[], windowMs: number): number {
  const sorted = [...instants].sort((x, y) => x - y);
  let first = 0;
  return sorted.reduce((most, t, i) => {
    while (sorted[first]! <= t - windowMs) first++;
    return Math.max(most, i - first + 1);
  }, 0);
}

/** What a connection at rest carries. Payload and WebSocket headers as recorded; the rest is an estimate. */
export interface Traffic {
  readonly pings: number;
  readonly framesUp: number;
  readonly bytesUp: number;
  readonly framesDown: number;
  readonly bytesDown: number;
}

/** IPv4 20, TCP 20, its timestamps 12. */
const SEGMENT_BYTES = 52;

/**
 * One segment per frame. What the client sends is acknowledged by the node's answer, the answer by a segment of its own.
 * Without TLS, which adds about 22 bytes a frame.
 */
export function perHour({ pings, framesUp, bytesUp, framesDown, bytesDown }: Traffic, ms: number) {
  const scale = 3_600_000 / ms;
  return {
    pings: Math.round(pings * scale),
    upBytes: Math.round((bytesUp + (framesUp + framesDown) * SEGMENT_BYTES) * scale),
    downBytes: Math.round((bytesDown + framesDown * SEGMENT_BYTES) * scale),
  };
}
