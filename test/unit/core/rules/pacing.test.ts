import { describe, expect, test } from 'vitest';
import { engineOf, type Engine } from '../../../../src/core/env/engines.ts';
import type { Failure, FailureKind } from '../../../../src/core/api/failure.ts';
import {
  countFailure,
  learnFailure,
  learnOpen,
  newMemory,
  newOutage,
  nextDeadline,
  nextWait,
  spendDial,
  type LinkMemory,
  type Outage,
  type PaceContext,
} from '../../../../src/core/rules/pacing.ts';
import { POLICIES } from '../../../../src/core/api/reconnect-policy.ts';

const { fast, balanced, frugal } = POLICIES;
const failed = (kind: FailureKind): Failure => ({ kind, code: 0, reason: '', wasClean: false });
const LOST = failed('lost');
const NODE = engineOf('');
const CHROMIUM = engineOf('Chrome/156');
const FIREFOX = engineOf('Firefox/153');

const at = (now: number, context: Partial<PaceContext> = {}): PaceContext => ({
  now,
  random: 0.5,
  engine: NODE,
  freshPath: false,
  leaks: [],
  rtt: undefined,
  ...context,
});
const outage = (with_: Partial<Outage> = {}): Outage => ({ ...newOutage(0, LOST), ...with_ });
const memory = (with_: Partial<LinkMemory> = {}): LinkMemory => ({ ...newMemory(balanced, 0), ...with_ });

describe('the wait before a dial', () => {
  test.each<[string, Partial<Outage>, random: number, ms: number]>([
    ['a link that was never up starts at once', { cause: undefined }, 0.99, 0],
    ['the first dial is spread a little', {}, 0.5, 5],
    ['which never exceeds the 20 ms of the docs', {}, 0.999, 9.99],
    ['a spread that the server announced', { announcedSpreadMs: 8_000 }, 0.5, 4_000],
    ['the second dial goes at once', { attempts: 1, last: failed('refused') }, 0.99, 0],
    ['so does the last one of the fast lane', { attempts: 7, last: failed('timeout') }, 0.99, 0],
    [
      'a crowd that hung in a queue is spread by base',
      { attempts: 3, fastLaneStart: 3, fastFailures: 1, last: failed('timeout') },
      0.5,
      250,
    ],
    ['after it full jitter: 0 … base', { attempts: 8, last: failed('refused') }, 0.5, 250],
    ['0 … base · 2', { attempts: 9, last: failed('refused') }, 0.5, 500],
    ['0 … base · 4', { attempts: 10, last: failed('refused') }, 0.5, 1_000],
    ['under the cap', { attempts: 13, last: failed('refused') }, 0.5, 4_000],
    ['for ever', { attempts: 5_000, last: failed('refused') }, 0.5, 4_000],
    [
      'the lane of a crowd that was told to spread is as long as the burst',
      { announcedSpreadMs: 8_000, attempts: 23, last: failed('refused') },
      0.99,
      0,
    ],
    ['and no longer', { announcedSpreadMs: 8_000, attempts: 24, last: failed('refused') }, 0.5, 250],
    ['overloaded leaves the lane', { attempts: 1, last: failed('overloaded') }, 0.5, 250],
    ['unauthorized too', { attempts: 1, last: failed('unauthorized') }, 0.5, 250],
    ['a failing provider too', { attempts: 1, last: failed('provider') }, 0.5, 250],
    ['and both grow with the attempts after it', { attempts: 9, last: failed('overloaded') }, 0.5, 500],
  ])('%s', (_, with_, random, ms) => {
    expect(nextWait(balanced, outage(with_), memory(), at(0, { random }))).toBeCloseTo(ms, 6);
  });

  test('the cap comes before the jitter: a crowd is spread at every attempt', () => {
    for (const attempts of [20, 100, 1_000]) {
      const waits = [0.1, 0.3, 0.7, 0.9].map((random) =>
        nextWait(fast, outage({ attempts, last: failed('refused') }), newMemory(fast, 0), at(0, { random })),
      );
      expect(waits).toEqual([500, 1_500, 3_500, 4_500]);
    }
  });
});

describe('the budget of dials', () => {
  const dials = (of: typeof balanced, count: number, now = 0) => {
    let spent = newMemory(of, 0);
    for (let i = 0; i < count; i++) spent = spendDial(of, spent, now);
    return spent;
  };
  const again = { attempts: 1, last: failed('refused') };

  test.each([
    ['balanced', balanced, 24, 2_000],
    ['fast', fast, 24, 1_000],
    ['frugal', frugal, 24, 5_000],
  ] as const)('%s: three fast lanes, then one dial per refill', (_, policy, burst, refillMs) => {
    const last = dials(policy, burst - 1);
    expect(nextWait(policy, outage(again), last, at(0))).toBe(0);
    const empty = dials(policy, burst);
    expect(nextWait(policy, outage(again), empty, at(0))).toBe(refillMs);
    expect(nextWait(policy, outage(again), empty, at(refillMs / 4))).toBe((refillMs * 3) / 4);
    expect(nextWait(policy, outage(again), empty, at(refillMs))).toBe(0);
  });

  test('holds the first dial of an outage back too', () => {
    expect(nextWait(balanced, outage(), dials(balanced, 24), at(0))).toBe(2_000);
  });

  test('is never more than full, however long the link was quiet', () => {
    expect(nextWait(balanced, outage(again), dials(balanced, 25, 1e9), at(1e9))).toBe(2_000);
  });

  test('is never below zero: dials that the app asked for leave no debt', () => {
    expect(nextWait(balanced, outage(again), dials(balanced, 26), at(0))).toBe(2_000);
  });

  test('the longer of backoff and budget counts', () => {
    const late = { attempts: 13, last: failed('refused') };
    expect(nextWait(balanced, outage(late), dials(balanced, 24), at(0))).toBe(4_000);
    expect(nextWait(balanced, outage(late), dials(balanced, 24), at(0, { random: 0.1 }))).toBe(2_000);
  });
});

describe('the deadline of a handshake', () => {
  test.each<[string, Partial<Outage>, Partial<LinkMemory>, ms: number]>([
    ['nothing known: five times the floor', {}, {}, 2_500],
    ['learned: 2·srtt + 4·rttvar', {}, { connect: { smoothed: 300, variance: 50 } }, 800],
    ['never under the floor', {}, { connect: { smoothed: 40, variance: 1 } }, 500],
    ['never over the cap', {}, { connect: { smoothed: 9_000, variance: 900 } }, 10_000],
    ['patient when another dial failed fast', { fastFailures: 1 }, {}, 20_000],
    ['and twice as patient with each that hung', { fastFailures: 1, timeouts: 1 }, {}, 40_000],
    ['but not for ever', { fastFailures: 1, timeouts: 9 }, {}, 60_000],
    ['however long it lasts', { timeouts: 99 }, {}, 60_000],
    [
      'a crowd that was told to spread gives a quarter of that',
      { announcedSpreadMs: 20_000 },
      { connect: { smoothed: 40, variance: 1 } },
      5_000,
    ],
  ])('%s', (_, with_, known, ms) => {
    expect(nextDeadline(balanced, outage(with_), memory(known), at(0))).toBe(ms);
  });

  test('six flat short ones, then growing ones', () => {
    const known = memory({ connect: { smoothed: 100, variance: 75 } });
    const deadlines = Array.from({ length: 12 }, (_, timeouts) =>
      nextDeadline(balanced, outage({ timeouts }), known, at(0)),
    );
    expect(deadlines).toEqual([500, 500, 500, 500, 500, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000]);
  });

  test('what the engine adds by itself comes on top, also of the cap', () => {
    const hurt = memory({ failedAt: Array.from({ length: 15 }, () => 0), failuresInRow: 15 });
    expect(nextDeadline(balanced, outage(), hurt, at(0, { engine: CHROMIUM }))).toBe(2_500 + 5_000);
    expect(nextDeadline(balanced, outage({ fastFailures: 1 }), hurt, at(0, { engine: CHROMIUM }))).toBe(
      25_000,
    );
    expect(nextDeadline(balanced, outage(), { ...hurt, failuresInRow: 2 }, at(0, { engine: FIREFOX }))).toBe(
      2_500 + 600,
    );
    expect(nextDeadline(balanced, outage(), hurt, at(0, { engine: FIREFOX, freshPath: true }))).toBe(2_500);
  });

  test('what the engine has forgotten counts no more', () => {
    const hurt = memory({ failedAt: Array.from({ length: 15 }, () => 0) });
    expect(nextDeadline(balanced, outage(), hurt, at(239_999, { engine: CHROMIUM }))).toBe(7_500);
    expect(nextDeadline(balanced, outage(), hurt, at(240_000, { engine: CHROMIUM }))).toBeCloseTo(
      2_500.15,
      1,
    );
  });
});

test('Firefox: with five abandoned handshakes nothing is dialled until the server must have closed the first', () => {
  const hung = outage({ attempts: 1, last: failed('timeout') });
  const four = [0, 1, 2, 3];
  const five = [...four, 4];
  const wait = (leaks: number[], engine: Engine) =>
    nextWait(balanced, hung, memory(), at(10_000, { engine, leaks }));
  expect([wait(four, FIREFOX), wait(five, FIREFOX), wait(five, CHROMIUM)]).toEqual([0, 80_000, 0]);
});

describe('what is learned', () => {
  test('from a dial that opened', () => {
    const hurt = memory({ failedAt: [5], failuresInRow: 3 });
    expect(learnOpen(hurt, 80, 100)).toEqual({
      ...hurt,
      connect: { smoothed: 80, variance: 40 },
      quickestMs: 80,
      openedAt: [100],
      failuresInRow: 0,
    });
  });

  test('the quickest connect fades, and is kept by those as quick', () => {
    const quick = learnOpen(learnOpen(memory(), 80, 100), 200, 200);
    expect([quick.quickestMs, learnOpen(quick, 90, 300).quickestMs]).toEqual([100, 90]);
  });

  test('from a dial that failed', () => {
    const once = learnFailure(memory(), 100);
    expect(once).toEqual(memory({ failedAt: [100], failuresInRow: 1 }));
    expect(learnFailure(once, 200)).toEqual(memory({ failedAt: [100, 200], failuresInRow: 2 }));
  });

  test('no more than the engine remembers, so that an outage of days fills no memory', () => {
    let hurt = memory();
    for (let now = 0; now <= 1e8; now += 100_000) hurt = learnFailure(hurt, now);
    expect(hurt.failedAt).toHaveLength(3);
  });

  test('about the outage', () => {
    let story = newOutage(7, LOST, 100);
    expect(story).toEqual({
      since: 7,
      cause: LOST,
      attempts: 0,
      fastLaneStart: 0,
      fastFailures: 0,
      timeouts: 0,
      last: undefined,
      announcedSpreadMs: 100,
      evidence: undefined,
    });
    for (const kind of ['refused', 'timeout', 'overloaded', 'handshake', 'provider'] as const) {
      story = countFailure(story, failed(kind));
    }
    expect(story).toMatchObject({ fastFailures: 2, timeouts: 1, last: failed('provider'), attempts: 0 });
  });

  test('a handshake that hung was a wait already: the lane begins anew', () => {
    const tried = outage({ attempts: 7 });
    const hung = countFailure(tried, failed('timeout'));
    expect([hung.fastLaneStart, countFailure(hung, failed('refused')).fastLaneStart]).toEqual([7, 7]);
    const wait = (of: Outage) => nextWait(balanced, { ...of, attempts: 9 }, memory(), at(0, { random: 0.5 }));
    expect([wait(hung), wait(countFailure(tried, failed('refused')))]).toEqual([0, 500]);
  });
});
