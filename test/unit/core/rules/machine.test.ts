import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FailoverError } from '../../../../src/core/api/errors.ts';
import type { Failure, FailureKind } from '../../../../src/core/api/failure.ts';
import { newOutage, type Outage } from '../../../../src/core/rules/pacing.ts';
import { POLICIES, type ReconnectPolicy } from '../../../../src/core/api/reconnect-policy.ts';
import {
  newMachine,
  transition,
  type Dial,
  type Effect,
  type LinkEvent,
  type Machine,
  type State,
  type TransitionContext,
} from '../../../../src/core/rules/machine.ts';
import { contextOf, NOW } from '../../../support/machine.ts';

const policy = POLICIES.fast;
const failure = (kind: FailureKind): Failure => ({ kind, code: 0, reason: '', wasClean: false });
const error = new FailoverError('unauthorized', 'x');

const outage: Outage = { ...newOutage(9_000, failure('lost')), attempts: 1 };
const dialling: Dial = { at: 'dialling' };
const pacing: Dial = { at: 'pacing', dueAt: 12_000, decidedAt: 9_500 };
const offline: Dial = { at: 'offline' };

const seeking = (dial: Dial, of: Partial<Outage> = {}): State => ({
  name: 'seeking',
  first: false,
  outage: { ...outage, ...of },
  dial,
});
const online = (of?: Outage): State => ({ name: 'online', since: 8_000, outage: of });
const suspect = (dial: Dial, own: Partial<Extract<State, { name: 'suspect' }>> = {}): State => ({
  name: 'suspect',
  since: 9_000,
  was: 'proven',
  outage,
  dial,
  ...own,
});
const draining = (dial: Dial): State => ({ name: 'draining', since: 8_000, outage, dial });

const step = (
  state: State,
  event: LinkEvent,
  own: Partial<TransitionContext> = {},
): [Machine, readonly Effect[]] => [
  ...transition({ state, memory: newMachine(policy, 0).memory }, event, contextOf(own)),
];
/** `'suspect dialling: suspect, dial'`: the state it becomes and what is to be done. */
function told([{ state }, effects]: readonly [Machine, readonly Effect[]]): string {
  const dial = 'dial' in state ? ` ${state.dial.at}` : '';
  const open = state.name === 'online' && state.outage ? ' unproven' : '';
  return `${state.name}${dial}${open}: ${effects.map((effect) => effect.do).join(', ')}`;
}

const opened = { type: 'opened', proven: true, tookMs: 100 } as const;
const openedMute = { type: 'opened', proven: false, tookMs: 100 } as const;
const refused = { type: 'failed', failure: failure('refused') } as const;
const timeout = { type: 'failed', failure: failure('timeout') } as const;
const lost = { type: 'lost', failure: failure('lost') } as const;
const silent = { type: 'silent', failure: failure('silent'), silentMs: 550 } as const;
const drain = { type: 'drain', failure: failure('drain'), spreadMs: 4_000 } as const;
const reconnect = { type: 'reconnect', failure: failure('manual') } as const;
const alive = { type: 'alive' } as const;
const wake = { type: 'wake' } as const;

describe('what a link becomes', () => {
  test.each<[string, State, LinkEvent, Partial<TransitionContext>, string]>([
    ['start', newMachine(policy, NOW).state, { type: 'start' }, {}, 'seeking dialling: dial'],
    [
      'start without network: nothing is dialled',
      newMachine(policy, NOW).state,
      { type: 'start' },
      { online: false },
      'seeking offline: ',
    ],
    ['the pacing timer', seeking(pacing), { type: 'due' }, {}, 'seeking dialling: dial'],
    [
      'the pacing timer without network',
      seeking(pacing),
      { type: 'due' },
      { online: false },
      'seeking offline: ',
    ],
    ['a late pacing timer', seeking(dialling), { type: 'due' }, {}, 'seeking dialling: '],
    ['a pacing timer after the network went', seeking(offline), { type: 'due' }, {}, 'seeking offline: '],

    ['the dial opens and has spoken', seeking(dialling), opened, {}, 'online: adopt, proven'],
    ['the dial opens and is mute', seeking(dialling), openedMute, {}, 'online unproven: adopt'],
    ['an open without a dial', seeking(pacing), opened, {}, 'seeking pacing: '],
    ['the first word', online(outage), { type: 'proven' }, {}, 'online: proven'],
    ['a later word', online(), { type: 'proven' }, {}, 'online: '],

    ['a dial fails: the next one at once', seeking(dialling), refused, {}, 'seeking dialling: dial'],
    [
      'a second one fails: ask why, beside the dial',
      seeking(dialling, { attempts: 2 }),
      refused,
      {},
      'seeking dialling: dial, probe',
    ],
    ['a deadline: ask why', seeking(dialling), timeout, {}, 'seeking dialling: dial, probe'],
    ['the lane is over', seeking(dialling, { attempts: 8 }), refused, {}, 'seeking pacing: wait'],
    [
      'every fourth: ask again',
      seeking(dialling, { attempts: 10 }),
      refused,
      {},
      'seeking pacing: wait, probe',
    ],
    ['a failure that is not ours any more', seeking(pacing), refused, {}, 'seeking pacing: '],
    [
      'it fails while there is no network',
      seeking(dialling),
      refused,
      { online: false },
      'seeking offline: ',
    ],

    ['an open connection ends', online(), lost, {}, 'seeking pacing: drop, wait'],
    ['with nobody to spread from', online(), lost, { random: 0 }, 'seeking dialling: drop, dial'],
    ['without network', online(), lost, { online: false }, 'seeking offline: drop'],
    ['an unproven one ends', online(outage), lost, {}, 'seeking dialling: drop, dial'],
    ['a dialling link cannot lose more', seeking(dialling), lost, {}, 'seeking dialling: '],

    ['silence', online(), silent, {}, 'suspect pacing: suspect, wait'],
    ['silence after silence', online(outage), silent, {}, 'suspect dialling: suspect, dial'],
    [
      'silence without hedge: it is dropped',
      online(),
      silent,
      { hedge: false },
      'seeking pacing: drop, wait',
    ],
    ['silence without network', online(), silent, { online: false }, 'suspect offline: suspect'],
    ['silence while draining', draining(dialling), silent, {}, 'suspect dialling: suspect'],
    ['silence of a suspect', suspect(dialling), silent, {}, 'suspect dialling: '],
    ['silence without a connection', seeking(dialling), silent, {}, 'seeking dialling: '],

    ['a late answer', suspect(dialling), alive, {}, 'online: release, cancel-dial'],
    ['a late answer while pacing', suspect(pacing), alive, {}, 'online: release, cancel-dial'],
    [
      'a late first answer',
      suspect(dialling, { was: 'unproven' }),
      alive,
      {},
      'online: release, cancel-dial, proven',
    ],
    [
      'a late answer of a draining node: it still goes away',
      suspect(dialling, { was: 'draining' }),
      alive,
      {},
      'draining dialling: release',
    ],
    ['an answer nobody waited for', draining(dialling), alive, {}, 'draining dialling: '],
    ['the replacement is up', suspect(dialling), opened, {}, 'online: adopt, proven'],
    ['the replacement fails', suspect(dialling), refused, {}, 'suspect dialling: dial'],
    ['a suspect ends: its dial carries on', suspect(dialling), lost, {}, 'seeking dialling: drop'],
    ['a suspect ends while pacing: the pace carries on', suspect(pacing), lost, {}, 'seeking pacing: drop'],

    ['a drain notice', online(), drain, {}, 'draining pacing: cancel-dial, drain, wait'],
    [
      'a drain notice without spread',
      online(),
      { ...drain, spreadMs: 0 },
      { random: 0 },
      'draining dialling: cancel-dial, drain, dial',
    ],
    ['a second drain notice', draining(pacing), drain, {}, 'draining pacing: '],
    ['the replacement of a draining node', draining(dialling), opened, {}, 'online: adopt, proven'],
    ['a draining node goes before that', draining(dialling), lost, {}, 'seeking dialling: drop'],

    [
      'the app asks while online: make before break',
      online(),
      reconnect,
      {},
      'draining dialling: cancel-dial, drain, dial',
    ],
    ['while it waits', seeking(pacing), reconnect, {}, 'seeking dialling: cancel-dial, dial'],
    [
      'while there is no network: the app knows better',
      seeking(offline),
      reconnect,
      {},
      'seeking dialling: cancel-dial, dial',
    ],
    ['while it dials: nothing', seeking(dialling), reconnect, {}, 'seeking dialling: '],
    ['while suspect and pacing', suspect(pacing), reconnect, {}, 'suspect dialling: cancel-dial, dial'],

    ['awake: an online link is verified', online(), wake, {}, 'online: verify'],
    [
      'awake: a wait is cut short',
      seeking(pacing, { attempts: 30 }),
      wake,
      {},
      'seeking dialling: cancel-dial, dial',
    ],
    ['awake: network', seeking(offline, { attempts: 30 }), wake, {}, 'seeking dialling: cancel-dial, dial'],
    ['awake without network', seeking(offline), wake, { online: false }, 'seeking offline: cancel-dial'],
    ['awake while it dials', seeking(dialling), wake, {}, 'seeking dialling: '],
    [
      'awake while dials hang: the one under way was given long',
      seeking(dialling, { timeouts: 8 }),
      wake,
      {},
      'seeking dialling: cancel-dial, dial',
    ],

    [
      'no network: the wait is off',
      seeking(pacing),
      { type: 'offline' },
      { online: false },
      'seeking offline: cancel-dial',
    ],
    [
      'no network, but nobody needs it',
      seeking(pacing),
      { type: 'offline' },
      { online: true },
      'seeking pacing: ',
    ],
    [
      'no network: a dial under way may still win',
      seeking(dialling),
      { type: 'offline' },
      { online: false },
      'seeking dialling: ',
    ],
    [
      'no network: an open connection may still live',
      online(),
      { type: 'offline' },
      { online: false },
      'online: ',
    ],

    [
      'close while dialling',
      seeking(dialling),
      { type: 'close', code: 1000, reason: '' },
      {},
      'closed: cancel-dial, close',
    ],
    [
      'close while online',
      online(),
      { type: 'close', code: 1000, reason: '' },
      {},
      'closed: cancel-dial, close',
    ],
    ['the end by a provider', seeking(dialling), { type: 'end', error }, {}, 'failed: cancel-dial, fail'],
  ])('%s', (_, state, event, own, expected) => {
    expect(told(step(state, event, own))).toBe(expected);
  });

  test('after the end nothing happens any more', () => {
    const ends: State[] = [
      { name: 'closed', code: 1000, reason: '' },
      { name: 'failed', error },
    ];
    const events: LinkEvent[] = [
      { type: 'start' },
      opened,
      refused,
      lost,
      silent,
      drain,
      reconnect,
      alive,
      wake,
    ];
    for (const state of ends) {
      for (const event of [
        ...events,
        { type: 'close', code: 1000, reason: '' } as const,
        { type: 'end', error } as const,
      ]) {
        const [machine, effects] = step(state, event);
        expect([machine.state, effects]).toEqual([state, []]);
      }
    }
  });
});

describe('what the effects carry', () => {
  test('a dial: number, cause, deadline, and how long it was held back', () => {
    const [, effects] = step(seeking(pacing, { attempts: 3, last: failure('refused') }), { type: 'due' });
    expect(effects).toEqual([
      { do: 'dial', attempt: 4, cause: 'refused', deadlineMs: 1_500, waitedMs: 500, promote: false },
    ]);
    const [first] = step(newMachine(policy, NOW).state, { type: 'start' })[1];
    expect(first).toEqual({
      do: 'dial',
      attempt: 1,
      cause: undefined,
      deadlineMs: 1_500,
      waitedMs: 0,
      promote: false,
    });
  });

  test("a cause stays the outage's until a dial of it failed", () => {
    const [, effects] = step(online(), lost, { random: 0 });
    expect(effects).toContainEqual(expect.objectContaining({ do: 'dial', attempt: 1, cause: 'lost' }));
  });

  test('adoption: the first one ever, and a handover', () => {
    const first = step({ ...seeking(dialling), first: true } as State, opened)[1][0];
    const again = step(seeking(dialling), opened)[1][0];
    const hedge = step(suspect(dialling), opened)[1][0];
    expect([first, again, hedge]).toEqual([
      { do: 'adopt', first: true, handover: false, leave: false },
      { do: 'adopt', first: false, handover: false, leave: false },
      { do: 'adopt', first: false, handover: true, leave: false },
    ]);
  });

  test('the spread that a drain notice asks for is waited, and only for it', () => {
    expect(step(online(), drain)[1]).toContainEqual({ do: 'wait', ms: 2_000 });
    expect(step(online(), lost)[1]).toContainEqual({ do: 'wait', ms: 5 });
  });

  test('attempts used up: the link fails, and says so', () => {
    const own = { policy: { ...policy, maxAttempts: 3 } };
    expect(told(step(seeking(dialling, { attempts: 2 }), refused, own))).toBe(
      'seeking dialling: dial, probe',
    );
    const [machine, effects] = step(seeking(dialling, { attempts: 3 }), timeout, own);
    expect(effects).toEqual([
      { do: 'cancel-dial' },
      { do: 'fail', error: expect.objectContaining({ kind: 'exhausted' }) as unknown },
    ]);
    expect((machine.state as { error: Error }).error.message).toMatch(
      /^No connection within policy\.maxAttempts dials; the last one ended with 'timeout'\./,
    );
  });

  test('while an old connection still serves, used-up attempts end nothing', () => {
    const own = { policy: { ...policy, maxAttempts: 1 } };
    expect(told(step(suspect(dialling), refused, own))).toBe('suspect dialling: dial');
    expect(told(step(draining(dialling), refused, own))).toBe('draining dialling: dial');
  });

  test('connections that ended before they said a word count as attempts too', () => {
    const own = { policy: { ...policy, maxAttempts: 3 } };
    expect(told(step(online({ ...outage, attempts: 2 }), lost, own))).toBe('seeking dialling: drop, dial');
    expect(told(step(online({ ...outage, attempts: 3 }), lost, own))).toBe('failed: cancel-dial, fail');
  });

  test('a draining node that hiccups goes on draining', () => {
    const [hiccup] = step(draining(dialling), silent);
    expect(told([...transition(hiccup, alive, contextOf())])).toBe('draining dialling: release');
  });
});

describe('on any schedule', () => {
  const kinds: FailureKind[] = ['refused', 'timeout', 'handshake', 'provider', 'overloaded', 'unauthorized'];
  const event: fc.Arbitrary<LinkEvent> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.constantFrom(...kinds).map((kind): LinkEvent => ({
        type: 'failed',
        failure: failure(kind),
      })),
    },
    { weight: 5, arbitrary: fc.constant<LinkEvent>({ type: 'due' }) },
    {
      weight: 2,
      arbitrary: fc.boolean().map((proven): LinkEvent => ({ type: 'opened', proven, tookMs: 100 })),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom<LinkEvent>(
        lost,
        silent,
        drain,
        alive,
        wake,
        { type: 'proven' },
        { type: 'offline' },
      ),
    },
  );
  const moves = fc.array(
    fc.tuple(
      event,
      fc.integer({ min: 0, max: 400 }),
      fc.boolean(),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
    ),
    {
      maxLength: 200,
    },
  );

  /** Runs a schedule as the shell would: a pacing timer that fires too early is no event. */
  function run(schedule: [LinkEvent, number, boolean, number][], own: Partial<ReconnectPolicy>) {
    const mine = { ...policy, ...own };
    let now = 0;
    let machine = newMachine(mine, now);
    const dials: { at: number; due: boolean }[] = [];
    const trail: string[] = [];
    const handle = (event: LinkEvent, isOnline: boolean, random: number) => {
      const before = machine.state;
      if (event.type === 'due' && !('dial' in before && before.dial.at === 'pacing')) return;
      const [next, effects] = transition(
        machine,
        event,
        contextOf({ now, policy: mine, online: isOnline, random }),
      );
      const pending = 'dial' in before && before.dial.at === 'dialling';
      for (const effect of effects) {
        if (effect.do === 'dial') {
          // The dial before ended with this event, or was cancelled first.
          const over = event.type === 'failed' || effects.some(({ do: what }) => what === 'cancel-dial');
          expect(pending && !over, `two dials at once: ${trail.join(' ')} ${event.type}`).toBe(false);
          dials.push({ at: now, due: event.type === 'due' });
        }
      }
      // Adopted exactly when a dial was under way; dropped exactly when there was a connection.
      if (effects.some(({ do: what }) => what === 'adopt')) expect(pending).toBe(true);
      if (effects.some(({ do: what }) => what === 'drop')) expect(before.name).not.toBe('seeking');
      machine = next;
      trail.push(`${event.type}→${machine.state.name}`);
    };
    handle({ type: 'start' }, true, 0);
    for (const [event, ms, isOnline, random] of schedule) {
      if (event.type === 'due' && 'dial' in machine.state && machine.state.dial.at === 'pacing') {
        now = Math.max(now, machine.state.dial.dueAt);
      } else now += ms;
      handle(event, isOnline, random);
    }
    return { dials, machine, now };
  }

  test('never two dials at once, and never more dials than the budget', () => {
    fc.assert(
      fc.property(moves, (schedule) => {
        const { dials } = run(schedule, {});
        // Token bucket: within any window at most the burst and what was refilled meanwhile.
        for (let i = 0; i < dials.length; i++) {
          for (let j = i; j < dials.length; j++) {
            const windowMs = dials[j]!.at - dials[i]!.at;
            const allowed = 3 * policy.fastAttempts + (windowMs * policy.dialsPerMinute) / 60_000;
            expect(j - i + 1).toBeLessThanOrEqual(allowed + 1e-6);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a link that is paced always knows when it goes on, within cap or budget', () => {
    fc.assert(
      fc.property(moves, (schedule) => {
        const { machine, now } = run(schedule, {});
        const { state } = machine;
        if (!('dial' in state) || state.dial.at !== 'pacing') return;
        const announced = state.outage.announcedSpreadMs;
        expect(state.dial.dueAt - now).toBeLessThanOrEqual(
          Math.max(policy.capMs, announced, 60_000 / policy.dialsPerMinute),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('a link without maxAttempts never ends by itself', () => {
    fc.assert(
      fc.property(moves, (schedule) => {
        expect(['closed', 'failed']).not.toContain(run(schedule, {}).machine.state.name);
      }),
      { numRuns: 100 },
    );
  });
});

test.each([
  ['while it hangs: the engine remembers that handshake', dialling, 1],
  ['before it went out: nothing to remember', pacing, 0],
] as const)('a replacement that is cancelled %s', (_, dial, abandoned) => {
  const [{ memory }] = transition(
    { state: suspect(dial), memory: newMachine(policy, 0).memory },
    alive,
    contextOf(),
  );
  expect(memory.failedAt).toHaveLength(abandoned);
});
