import { describe, expect, test } from 'vitest';
import {
  assess,
  observeRtt,
  overdueAfter,
  quietMs,
  type LivenessVerdict,
} from '../../../../src/core/rules/liveness.ts';
import { POLICIES } from '../../../../src/core/api/reconnect-policy.ts';

describe('the round-trip estimate of RFC 6298', () => {
  test('the first sample sets it, later ones are smoothed', () => {
    const first = observeRtt(undefined, 100);
    expect(first).toEqual({ smoothed: 100, variance: 50 });
    const second = observeRtt(first, 180);
    // srtt += (180 - 100) / 8; rttvar += (|100 - 180| - 50) / 4, with the srtt of before
    expect(second).toEqual({ smoothed: 110, variance: 57.5 });
    expect(observeRtt(second, 110)).toEqual({ smoothed: 110, variance: 43.125 });
  });

  test('a steady line lets the variance shrink towards 0', () => {
    let rtt = observeRtt(undefined, 40);
    for (let i = 0; i < 50; i++) rtt = observeRtt(rtt, 40);
    expect(rtt.smoothed).toBe(40);
    expect(rtt.variance).toBeLessThan(0.001);
  });

  test.each([
    ['unknown: the cap', undefined, 250, 2_000, 2_000],
    ['srtt + 4·rttvar', { smoothed: 100, variance: 50 }, 250, 2_000, 300],
    ['the floor', { smoothed: 10, variance: 5 }, 250, 2_000, 250],
    ['the cap', { smoothed: 1_000, variance: 500 }, 250, 2_000, 2_000],
  ])('overdue: %s', (_, rtt, floor, cap, expected) => {
    expect(overdueAfter(rtt, floor, cap)).toBe(expected);
  });
});

const active = { message: 'ping' };
const passive = { expectEveryMs: 1_000 };
const ping = { sentAt: 5_000, overdueAt: 5_300 };

describe('the verdict', () => {
  test.each<
    [
      string,
      Parameters<typeof assess>[0],
      Parameters<typeof assess>[1],
      quiet: number,
      now: number,
      verdict: LivenessVerdict,
    ]
  >([
    [
      'no heartbeat',
      { lastInboundAt: 0, ping: undefined, expectingSince: undefined },
      false,
      300,
      99_999,
      { do: 'nothing' },
    ],
    [
      'quiet not over',
      { lastInboundAt: 1_000, ping: undefined, expectingSince: undefined },
      active,
      300,
      1_299,
      { do: 'wait', until: 1_300 },
    ],
    [
      'quiet over',
      { lastInboundAt: 1_000, ping: undefined, expectingSince: undefined },
      active,
      300,
      1_300,
      { do: 'ping' },
    ],
    [
      'a frame of ours unanswered, not yet long',
      { lastInboundAt: 1_000, ping: undefined, expectingSince: 1_100 },
      active,
      900,
      1_349,
      { do: 'wait', until: 1_350 },
    ],
    [
      'a frame of ours unanswered',
      { lastInboundAt: 1_000, ping: undefined, expectingSince: 1_100 },
      active,
      900,
      1_350,
      { do: 'ping' },
    ],
    [
      'quiet over before that',
      { lastInboundAt: 1_000, ping: undefined, expectingSince: 1_200 },
      active,
      300,
      1_300,
      { do: 'ping' },
    ],
    [
      'answer due',
      { lastInboundAt: 4_700, ping, expectingSince: undefined },
      active,
      300,
      5_299,
      { do: 'wait', until: 5_300 },
    ],
    [
      'answer overdue',
      { lastInboundAt: 4_700, ping, expectingSince: undefined },
      active,
      300,
      5_300,
      { do: 'suspect' },
    ],
    [
      'a ping outlasts a heartbeat that is off',
      { lastInboundAt: 0, ping, expectingSince: undefined },
      false,
      300,
      5_300,
      { do: 'suspect' },
    ],
    [
      'passive, in time',
      { lastInboundAt: 0, ping: undefined, expectingSince: undefined },
      passive,
      1,
      1_499,
      { do: 'wait', until: 1_500 },
    ],
    [
      'passive, half as long again',
      { lastInboundAt: 0, ping: undefined, expectingSince: undefined },
      passive,
      1,
      1_500,
      { do: 'suspect' },
    ],
  ])('%s', (_, life, heartbeat, quiet, now, verdict) => {
    expect(assess(life, heartbeat, quiet, 250, now)).toEqual(verdict);
  });
});

test.each([
  ['used', true, 0, 300],
  ['visible, just not idle', true, 59_999, 300],
  ['visible, idle', true, 60_000, 5_000],
  ['hidden', false, 0, 5_000],
])('silence before a ping, page %s', (_, visible, untouchedMs, expected) => {
  expect(quietMs(POLICIES.fast, { visible, untouchedMs })).toBe(expected);
});
