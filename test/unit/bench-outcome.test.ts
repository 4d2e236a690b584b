import { describe, expect, it } from 'vitest';
import { outcomeOf, quantile, type Dial } from '../bench/outcome.ts';

const old: Dial = { start: 0, open: 10, first: 12, end: 1005, node: 'a' };
const recording = (dials: Dial[], served: { at: number; node: string }[], noticed: number[] = []) => ({
  dials: [old, ...dials],
  served: [{ at: 12, node: 'a' }, ...served],
  noticed,
  lags: [
    { at: 900, ms: 99 },
    { at: 1100, ms: 7 },
  ],
});

describe('what the benchmark makes of a recording', () => {
  it('counts pauses between attempts as overhead, attempts not', () => {
    const dials = [
      { start: 1015, end: 1065 },
      { start: 1070, open: 1150, first: 1152, node: 'b' },
    ];
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
    const dials = [{ start: 1005, open: 1085, first: 1086, sent: 1095, ready: 1135, node: 'b' }];
    expect(outcomeOf(recording(dials, [{ at: 1136, node: 'b' }]), 1000, 'a')).toMatchObject({
      rawMs: 120,
      overheadMs: 11,
    });
  });

  it('counts attempts that overlap once, and a suspicion as the notice', () => {
    const hung = { ...old, end: 2000 };
    const dials = [
      { start: 1210, end: 1600 },
      { start: 1500, open: 1580, first: 1600, node: 'b' },
    ];
    const { noticedMs, rawMs, overheadMs } = outcomeOf(
      { ...recording(dials, [{ at: 1600, node: 'b' }], [1200]), dials: [hung, ...dials] },
      1000,
      'a',
    );
    expect({ noticedMs, rawMs, overheadMs }).toEqual({ noticedMs: 200, rawMs: 390, overheadMs: 10 });
  });

  it('calls a page that only the failed node served stuck', () => {
    const outcome = outcomeOf(recording([{ start: 1010 }], [{ at: 1020, node: 'a' }]), 1000, 'a');
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
