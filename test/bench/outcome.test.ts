import { describe, expect, it } from 'vitest';
import { outcomeOf, quantile, type Dial } from './outcome.ts';

const dial = (start: number, more: Partial<Dial> = {}): Dial => ({
  start,
  sent: [],
  received: [],
  ready: [],
  ...more,
});
const old = dial(0, { open: 10, received: [12], end: 1005, node: 'a' });
const recording = (dials: Dial[], served: { at: number; node: string }[], noticed: number[] = []) => ({
  dials: [old, ...dials],
  served: [{ at: 12, node: 'a' }, ...served],
  noticed,
  lags: [
    { at: 900, ms: 99 },
    { at: 1100, ms: 7 },
  ],
  attempts: [],
});

describe('what the benchmark makes of a recording', () => {
  it('counts pauses between attempts as overhead, attempts not', () => {
    const dials = [dial(1015, { end: 1065 }), dial(1070, { open: 1150, received: [1152], node: 'b' })];
    expect(outcomeOf(recording(dials, [{ at: 1153, node: 'b' }]), 1000, 'a')).toEqual({
      servedMs: 153,
      noticedMs: 5,
      rawMs: 132,
      overheadMs: 16,
      attempts: [
        { ms: 50, outcome: 'failed' },
        { ms: 82, outcome: 'served' },
      ],
      lagMs: 7,
    });
  });

  it('counts time between open and the first DDP frame as overhead', () => {
    const dials = [dial(1005, { open: 1085, received: [1086], sent: [1095], ready: [1135], node: 'b' })];
    expect(outcomeOf(recording(dials, [{ at: 1136, node: 'b' }]), 1000, 'a')).toMatchObject({
      rawMs: 120,
      overheadMs: 11,
    });
  });

  it('counts attempts that overlap once, and a suspicion as the notice', () => {
    const hung = { ...old, end: 2000 };
    const dials = [dial(1210, { end: 1600 }), dial(1500, { open: 1580, received: [1600], node: 'b' })];
    const { noticedMs, rawMs, overheadMs } = outcomeOf(
      { ...recording(dials, [{ at: 1600, node: 'b' }], [1200]), dials: [hung, ...dials] },
      1000,
      'a',
    );
    expect({ noticedMs, rawMs, overheadMs }).toEqual({ noticedMs: 200, rawMs: 390, overheadMs: 10 });
  });

  it('takes a connection from before the fault for the winner, from the first frame sent on it', () => {
    // Its own handshake and subscriptionless greeting are over; what it is asked and answers after the fault counts.
    const standby = dial(500, {
      open: 580,
      sent: [582, 1011],
      received: [620, 1050],
      ready: [1050],
      node: 'b',
    });
    expect(outcomeOf(recording([standby], [{ at: 1053, node: 'b' }]), 1000, 'a')).toEqual({
      servedMs: 53,
      noticedMs: 5,
      rawMs: 39,
      overheadMs: 9,
      attempts: [{ ms: 39, outcome: 'promoted' }],
      lagMs: 0,
    });
  });

  it('does not take the next standby, dialled meanwhile, for the winner', () => {
    const standby = dial(500, { open: 580, sent: [1011], received: [1050], ready: [1050], node: 'b' });
    const next = dial(1012, { open: 1040, sent: [1041], received: [1045], node: 'b' });
    const { attempts, rawMs } = outcomeOf(recording([standby, next], [{ at: 1053, node: 'b' }]), 1000, 'a');
    expect(attempts).toEqual([
      { ms: 41, outcome: 'pending' },
      { ms: 39, outcome: 'promoted' },
    ]);
    // 1011 … 1053: both attempts together.
    expect(rawMs).toBe(42);
  });

  it('knows a promoted plain connection by the answer on it', () => {
    const standby = dial(500, { open: 580, sent: [1010], received: [600, 1052], node: 'b' });
    expect(outcomeOf(recording([standby], [{ at: 1053, node: 'b' }]), 1000, 'a')).toMatchObject({
      rawMs: 42,
      attempts: [{ ms: 42, outcome: 'promoted' }],
    });
  });

  it('does not take a connection to the failed node that ended long ago for the old one', () => {
    const gone = dial(600, { open: 650, received: [660], end: 700, node: 'a' });
    const { noticedMs } = outcomeOf(
      recording([gone, dial(1030, { open: 1100, received: [1110], node: 'b' })], [{ at: 1111, node: 'b' }]),
      1000,
      'a',
    );
    expect(noticedMs).toBe(5);
  });

  it('calls a page that only the failed node served stuck', () => {
    const outcome = outcomeOf(recording([dial(1010)], [{ at: 1020, node: 'a' }]), 1000, 'a');
    expect(outcome.servedMs).toBeUndefined();
    expect(outcome.attempts).toEqual([{ ms: 0, outcome: 'pending' }]);
  });

  it.each([
    [0.5, 2],
    [0.95, 4],
    [0.25, 1],
    [1, 4],
  ])('takes quantile %f by nearest rank', (q, expected) => {
    expect(quantile([4, 2, 1, 3], q)).toBe(expected);
    expect(quantile([], q)).toBeUndefined();
  });
});
