/**
 * The small world in which `transition` is explored: numbers so few, and so chosen, that everything the function tells apart is
 * there, and the space is finite. What a state remembers is brought to one representative of all that behave alike (`canonical`);
 * that they do is not believed but checked (see explore.ts).
 */
import { LEAK_MS, engineOf } from '../../../src/core/env/engines.ts';
import { FailoverError } from '../../../src/core/api/errors.ts';
import { failure, type FailureKind } from '../../../src/core/api/failure.ts';
import { POLICIES, type ReconnectPolicy } from '../../../src/core/api/reconnect-policy.ts';
import type { LinkMemory, Outage } from '../../../src/core/rules/pacing.ts';
import type { ProbeVerdict } from '../../../src/core/api/report.ts';
import type {
  Dial,
  LinkEvent,
  Machine,
  State,
  TransitionContext,
  transition,
} from '../../../src/core/rules/machine.ts';

export type Transition = typeof transition;

/** All times are multiples of this, and it is what one token of the dials' budget takes. */
export const SECOND = 1_000;
/** It is always now: time passes by moving what is remembered into the past. */
const NOW = 0;

export interface World {
  readonly name: string;
  readonly policy: ReconnectPolicy;
  readonly hedge: boolean;
  /** Everything a transition may be told of the world outside. */
  readonly contexts: readonly TransitionContext[];
  /** Those that differ in what the current node asked for only, which matters when it is given up. */
  readonly spreads: readonly TransitionContext[];
}

const policy: ReconnectPolicy = {
  ...POLICIES.fast,
  spreadMs: SECOND,
  fastAttempts: 1,
  baseMs: SECOND,
  capMs: 2 * SECOND,
  dialsPerMinute: 60,
};

const kinds = <K extends FailureKind>(...of: K[]) => of.map((kind) => failure(kind));

/** Every event, once for each way in which `transition` may tell it apart. */
export const EVENTS: readonly LinkEvent[] = [
  { type: 'start' },
  { type: 'due' },
  { type: 'opened', proven: true, tookMs: 100 },
  { type: 'opened', proven: false, tookMs: 100 },
  { type: 'opened', proven: true, tookMs: undefined },
  // Fast, hanging, slow in a way that is fast, slow, and none of these.
  ...kinds('refused', 'timeout', 'overloaded', 'provider', 'handshake').map((why): LinkEvent => ({
    type: 'failed',
    failure: why,
  })),
  ...(['healthy', 'unauthorized'] as ProbeVerdict[]).map((verdict): LinkEvent => ({
    type: 'evidence',
    evidence: { verdict },
  })),
  { type: 'evidence', evidence: { verdict: 'overloaded', retryAfterMs: SECOND } },
  { type: 'proven' },
  ...kinds('lost', 'overloaded').map((why): LinkEvent => ({ type: 'lost', failure: why })),
  { type: 'silent', failure: failure('silent'), silentMs: 500 },
  { type: 'alive' },
  ...[0, 2 * SECOND].map((spreadMs): LinkEvent => ({ type: 'drain', failure: failure('drain'), spreadMs })),
  { type: 'wake' },
  { type: 'offline' },
  { type: 'hide', failure: failure('suspended') },
  { type: 'reconnect', failure: failure('manual') },
  { type: 'close', code: 1000, reason: '' },
  { type: 'end', error: new FailoverError('unauthorized', 'x') },
];

export interface Shape {
  readonly hedge: boolean;
  readonly userAgent: '' | 'Firefox/153' | 'Chrome/156';
  readonly freshPath: boolean;
  readonly maxAttempts: number;
}

export function worldOf(shape: Shape): World {
  const { hedge, userAgent, freshPath, maxAttempts } = shape;
  const engine = engineOf(userAgent);
  const own = { ...policy, maxAttempts };
  const none: readonly number[] = [];
  // As many as there may be, the oldest of which is gone in two seconds.
  const full = Number.isFinite(engine.maxAbandons)
    ? Array.from({ length: engine.maxAbandons }, () => NOW - LEAK_MS + 2 * SECOND)
    : undefined;
  const contexts: TransitionContext[] = [];
  const common = { now: NOW, engine, freshPath, rtt: undefined, policy: own, hedge, spreadMs: 0 };
  for (const standby of [false, true]) {
    // Nothing is paced without a network.
    contexts.push({ ...common, online: false, standby, random: 1, leaks: none });
    for (const random of [0, 1])
      for (const leaks of full ? [none, full] : [none])
        contexts.push({ ...common, online: true, standby, random, leaks });
  }
  const spreads = contexts.map((context) => ({ ...context, spreadMs: 2 * SECOND }));
  const name = `${userAgent || 'WebKit'}${freshPath ? ', fresh paths' : ''}, hedge ${hedge}, maxAttempts ${maxAttempts}`;
  return { name, policy: own, hedge, contexts, spreads };
}

/** The slow ones among failures and verdicts (`UNHURRIED` in policy.ts). */
const SLOW: readonly (string | undefined)[] = ['overloaded', 'provider', 'unauthorized'];

/** One of all outages that lead to the same behaviour. */
function canonicalOutage(outage: Outage, { fastAttempts, maxAttempts }: ReconnectPolicy): Outage {
  // Which of them ask why (every fourth) is the business of policy.test.ts; beyond that and `maxAttempts` it is some or none.
  const attempts = Math.min(outage.attempts, Number.isFinite(maxAttempts) ? maxAttempts : 1);
  // The pace is at its cap one after the lane, which is the whole burst where a spread was announced.
  const lane = Math.min(
    outage.attempts - outage.fastLaneStart,
    (outage.announcedSpreadMs ? 3 * fastAttempts : fastAttempts) + 1,
  );
  const slow = (outage.last ?? outage.cause)?.kind;
  const cause = outage.cause && failure(outage.last || !SLOW.includes(slow) ? 'lost' : 'overloaded');
  const verdict = outage.evidence?.verdict;
  const retryAfterMs = outage.evidence?.retryAfterMs;
  return {
    since: NOW,
    cause,
    attempts,
    fastLaneStart: attempts - lane,
    // They set deadlines; and where dials hung nobody waits for the one under way, and who hung in a queue does not come back at once.
    fastFailures: Math.min(outage.fastFailures, 1),
    timeouts: Math.min(outage.timeouts, 1),
    announcedSpreadMs: outage.announcedSpreadMs,
    ...(outage.last && {
      last: failure(SLOW.includes(slow) ? 'overloaded' : slow === 'timeout' ? slow : 'refused'),
    }),
    ...(SLOW.includes(verdict) && {
      evidence: { verdict: 'overloaded', ...(retryAfterMs !== undefined && { retryAfterMs }) },
    }),
  };
}

const canonicalDial = (dial: Dial): Dial =>
  dial.at === 'pacing' ? { at: 'pacing', dueAt: NOW, decidedAt: NOW } : dial;

function canonicalState(state: State, own: ReconnectPolicy): State {
  switch (state.name) {
    case 'closed':
      return { name: 'closed', code: 1000, reason: '' };
    case 'failed':
      return { name: 'failed', error: END };
    case 'online':
      return { ...state, since: NOW, outage: state.outage && canonicalOutage(state.outage, own) };
    case 'seeking':
      return { ...state, outage: canonicalOutage(state.outage, own), dial: canonicalDial(state.dial) };
    case 'suspect':
    case 'draining':
      return {
        ...state,
        since: NOW,
        outage: canonicalOutage(state.outage, own),
        dial: canonicalDial(state.dial),
      };
  }
}
const END = new FailoverError('exhausted', 'over');

/** What connecting has cost here sets deadlines, and nothing else; of the budget only what is left now counts. */
function canonicalMemory({ tokens, at }: LinkMemory, own: ReconnectPolicy): LinkMemory {
  const left = Math.min(3 * own.fastAttempts, tokens + ((NOW - at) * own.dialsPerMinute) / 60_000);
  return {
    connect: undefined,
    quickestMs: Infinity,
    failedAt: NONE,
    openedAt: NONE,
    failuresInRow: 0,
    tokens: left,
    at: NOW,
  };
}
const NONE: readonly number[] = Object.freeze([]);

export const canonical = (machine: Machine, own: ReconnectPolicy): Machine => ({
  state: canonicalState(machine.state, own),
  memory: canonicalMemory(machine.memory, own),
});

/** The same machine, a second later. */
export const later = (machine: Machine): Machine => ({
  ...machine,
  memory: { ...machine.memory, at: machine.memory.at - SECOND },
});

/** Two canonical machines with the same key are the same. */
export function keyOf({ state, memory }: Machine): string {
  const { name } = state;
  if (name === 'closed' || name === 'failed') return name;
  const head = `${name} ${memory.tokens} ${name === 'suspect' ? state.was : name === 'seeking' && state.first}`;
  const { outage } = state;
  if (!outage) return head;
  const {
    cause,
    attempts,
    fastLaneStart: laneFrom,
    fastFailures,
    timeouts,
    announcedSpreadMs,
    last,
    evidence,
  } = outage;
  const dial = 'dial' in state ? state.dial.at : '';
  return `${head} ${dial} ${cause?.kind} ${attempts} ${laneFrom} ${fastFailures} ${timeouts} ${announcedSpreadMs} ${last?.kind} ${evidence?.verdict} ${evidence?.retryAfterMs}`;
}

/** The engine that leaks and one that does not; with a replacement dialled beside a suspect and without; for ever and limited. */
export const SHAPES: readonly Shape[] = [
  { userAgent: 'Firefox/153', hedge: true, maxAttempts: Infinity, freshPath: false },
  { userAgent: 'Firefox/153', hedge: false, maxAttempts: Infinity, freshPath: true },
  { userAgent: '', hedge: true, maxAttempts: 2, freshPath: false },
  { userAgent: 'Chrome/156', hedge: false, maxAttempts: 1, freshPath: false },
];
