import { describe, expect, it } from 'vitest';
import { accountOf, falseDeadlines, gapsOf, mostWithin, perHour, type Call } from './continuity.ts';
import type { Dial } from './outcome.ts';

const dial = (start: number, more: Partial<Dial> = {}): Dial => ({
  start,
  sent: [],
  received: [],
  ready: [],
  ...more,
});

describe('time without a link', () => {
  it('is none when the next one has proven itself before the last one ends', () => {
    const dials = [dial(0, { proven: 10, end: 500 }), dial(300, { proven: 400, end: 900 })];
    expect(gapsOf(dials, 100, 900)).toEqual({ count: 0, longestMs: 0 });
  });

  it('lasts until the first frame, not until the dial or open', () => {
    const dials = [dial(0, { proven: 10, end: 500 }), dial(505, { open: 580, proven: 600 })];
    expect(gapsOf(dials, 100, 900)).toEqual({ count: 1, longestMs: 100 });
  });

  it('is counted at both ends of the time looked at, and not beyond', () => {
    expect(gapsOf([dial(0, { proven: 150, end: 870 })], 100, 900)).toEqual({ count: 2, longestMs: 50 });
    expect(gapsOf([dial(0, { proven: 950 })], 100, 900)).toEqual({ count: 1, longestMs: 800 });
    expect(gapsOf([], 100, 900)).toEqual({ count: 1, longestMs: 800 });
  });

  it('is not made by a connection that is held inside another one', () => {
    const dials = [dial(0, { proven: 10 }), dial(200, { proven: 210, end: 300 })];
    expect(gapsOf(dials, 100, 900)).toEqual({ count: 0, longestMs: 0 });
  });
});

describe('the account of calls', () => {
  const call = (kind: Call['kind'], id: string, outcome: Partial<Call> = { ok: true, ms: 5 }): Call => ({
    kind,
    id,
    at: 0,
    ...outcome,
  });

  it('is clean when each was done once', () => {
    const calls = [call('add', 'x'), call('count', 'x', { ok: true, ms: 80 }), call('remove', 'w')];
    expect(accountOf(calls, { x: 1 }, { x: 1 })).toEqual({
      made: 3,
      lost: 0,
      doubled: 0,
      failed: 0,
      ranTwice: 0,
      slowestMs: 80,
    });
  });

  it.each<[string, Call[], Record<string, number>, Record<string, number>, object]>([
    ['never settled', [call('remove', 'x', {})], {}, {}, { lost: 1 }],
    ['done, but never shown', [call('add', 'x')], {}, {}, { lost: 1 }],
    ['done, but not counted', [call('count', 'x')], {}, { x: 0 }, { lost: 1 }],
    ['shown twice', [call('add', 'x')], { x: 2 }, {}, { doubled: 1, lost: 0 }],
    ['counted twice', [call('count', 'x')], {}, { x: 2 }, { ranTwice: 1, lost: 0 }],
    ['rejected', [call('add', 'x', { ms: 9, error: 'no' })], {}, {}, { failed: 1, lost: 0, slowestMs: 0 }],
  ])('tells of a call that was %s', (_, calls, added, counters, expected) => {
    expect(accountOf(calls, added, counters)).toMatchObject(expected);
  });
});

describe('false deadlines', () => {
  const timeout = { startedAt: 100, durationMs: 300, outcome: 'timeout' };
  const tab = (dials: Dial[], attempts = [timeout]) => ({ dials, attempts });

  it('are all of them where nothing hangs', () => {
    expect(falseDeadlines([tab([]), tab([], [{ ...timeout, outcome: 'refused' }])], false)).toBe(1);
  });

  it.each<[string, Dial, number]>([
    ['had come first and waited for its answer', dial(50, { end: 450 }), 1],
    ['had come first and is under way still', dial(50), 1],
    ['was open already', dial(50, { open: 90 }), 0],
    ['had ended', dial(50, { end: 99 }), 0],
    ['came later', dial(101), 0],
  ])('are those where another tab %s', (_, other, expected) => {
    expect(falseDeadlines([tab([dial(100, { end: 400 })]), tab([other], [])], true)).toBe(expected);
  });

  it('are not those where a tab waits for its own dial', () => {
    expect(falseDeadlines([tab([dial(50), dial(100, { end: 400 })])], true)).toBe(0);
  });
});

describe('figures by time', () => {
  it('counts the most events in any window, its end excluded', () => {
    expect(mostWithin([0, 100, 1000, 1050, 1099, 5000], 1000)).toBe(4);
    expect(mostWithin([], 1000)).toBe(0);
  });

  it('scales traffic to an hour, a segment per frame and one per acknowledgement of the node', () => {
    // One ping of 30 bytes and its answer of 20 in a minute.
    const traffic = { pings: 1, framesUp: 1, bytesUp: 30, framesDown: 1, bytesDown: 20 };
    expect(perHour(traffic, 60_000)).toEqual({
      pings: 60,
      upBytes: 60 * (30 + 52 + 52),
      downBytes: 60 * (20 + 52),
    });
  });
});
