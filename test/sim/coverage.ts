import { FailoverError } from '../../src/core/api/errors.ts';
import { failure, type FailureKind } from '../../src/core/api/failure.ts';
import { POLICIES } from '../../src/core/api/reconnect-policy.ts';
import { newMemory, newOutage } from '../../src/core/rules/pacing.ts';
import { transition, type Dial, type LinkEvent, type State } from '../../src/core/rules/machine.ts';
import { contextOf, NOW } from '../support/machine.ts';
import { stateName } from './counted.ts';

const policy = { ...POLICIES.fast, maxAttempts: 3 };
const lost = failure('lost');
const outage = { ...newOutage(9_000, lost), attempts: 3 };
const error = new FailoverError('unauthorized', 'no');

const DIALS: readonly Dial[] = [
  { at: 'pacing', dueAt: 11_000, decidedAt: 9_000 },
  { at: 'dialling' },
  { at: 'offline' },
];
const STATES: readonly State[] = [
  { name: 'online', since: 1, outage: undefined },
  { name: 'online', since: 1, outage },
  ...DIALS.flatMap((dial): State[] => [
    { name: 'seeking', first: false, outage, dial },
    { name: 'suspect', since: 1, was: 'proven', outage, dial },
    { name: 'draining', since: 1, outage, dial },
  ]),
  { name: 'closed', code: 1000, reason: '' },
  { name: 'failed', error },
];

/** One of each type; the compiler counts them. */
const EVENTS: { readonly [Type in LinkEvent['type']]: Extract<LinkEvent, { type: Type }> } = {
  start: { type: 'start' },
  due: { type: 'due' },
  opened: { type: 'opened', proven: true, tookMs: 1 },
  failed: { type: 'failed', failure: lost },
  evidence: { type: 'evidence', evidence: { verdict: 'gateway' } },
  proven: { type: 'proven' },
  lost: { type: 'lost', failure: lost },
  silent: { type: 'silent', failure: failure('silent'), silentMs: 1 },
  alive: { type: 'alive' },
  drain: { type: 'drain', failure: failure('drain'), spreadMs: 0 },
  wake: { type: 'wake' },
  offline: { type: 'offline' },
  hide: { type: 'hide', failure: failure('suspended') },
  reconnect: { type: 'reconnect', failure: failure('manual') },
  close: { type: 'close', code: 1000, reason: '' },
  end: { type: 'end', error },
};

const KINDS: { readonly [Kind in FailureKind]: true } = {
  refused: true,
  timeout: true,
  handshake: true,
  provider: true,
  lost: true,
  closed: true,
  drain: true,
  overloaded: true,
  unauthorized: true,
  silent: true,
  suspended: true,
  manual: true,
};

/** What the machine would do but no world brings about, each with the reason. */
const NO_PROVIDER = 'only a provider ends a link, and it is asked by a dial under way';
const ONCE = 'a link starts once, and nothing came before';
export const IMPOSSIBLE: Readonly<Record<string, string>> = {
  'online: end': NO_PROVIDER,
  'online unproven: end': NO_PROVIDER,
  'seeking pacing: end': NO_PROVIDER,
  'seeking offline: end': NO_PROVIDER,
  'suspect pacing: end': NO_PROVIDER,
  'suspect offline: end': NO_PROVIDER,
  'draining pacing: end': NO_PROVIDER,
  'draining offline: end': NO_PROVIDER,
  'suspect pacing: start': ONCE,
  'draining pacing: start': ONCE,
  'online unproven: drain': 'the notice is a frame, which proves the connection first',
};

/** Every event that means something in a state, and every kind of failure: what a run has to have come through. */
export function required(): string[] {
  const names: string[] = Object.keys(KINDS).map((kind) => `failure ${kind}`);
  for (const state of STATES)
    for (const event of Object.values(EVENTS)) {
      const name = `${stateName(state)}: ${event.type}`;
      if (matters(state, event) && !(name in IMPOSSIBLE)) names.push(name);
    }
  return names;
}

/** In some circumstances the state changes, or something is done. */
function matters(state: State, event: LinkEvent): boolean {
  const machine = { state, memory: newMemory(policy, NOW) };
  return [true, false].some((online) => {
    const [next, effects] = transition(machine, event, contextOf({ policy, online }));
    return effects.length > 0 || next !== machine;
  });
}

/** What is missing of all that is required. */
export function missing(seen: Iterable<readonly [string, number]>): string[] {
  const names = new Set([...seen].map(([name]) => name));
  return required().filter((name) => !names.has(name));
}
