import { describe, expect, it } from 'vitest';
import type { Outcome } from './outcome.ts';
import { markdown, outcomeRow, ratioRows } from './tables.ts';

const served = (servedMs: number, more: Partial<Outcome> = {}): Outcome => ({
  servedMs,
  overheadMs: 10,
  attempts: [{ ms: 80, outcome: 'served' }],
  lagMs: 1,
  ...more,
});

describe('tables of the benchmark', () => {
  it('count who was never served as stuck and leave it out of the times', () => {
    const row = outcomeRow('stop', 'ours', [
      served(100),
      served(300, { overheadMs: 50, attempts: [{ ms: 40, outcome: 'promoted' }] }),
      { attempts: [{ ms: 500, outcome: 'failed' }], lagMs: 0 },
    ]);
    expect(row).toMatchObject({
      n: 3,
      stuck: 1,
      p50: 100,
      max: 300,
      'overhead p99': 50,
      promoted: 1,
      'failed attempt p50': 500,
    });
  });

  it('compare medians with each bare client', () => {
    const results = new Map([
      ['ours', [served(110), served(90), served(300)]],
      ['bare', [served(100), served(100), served(1000)]],
      ['bare-ddp', [served(220)]],
    ]);
    expect(
      ratioRows('stop', results).map(({ client, beside, ...row }) => [
        client,
        beside,
        row['median / median'],
      ]),
    ).toEqual([
      ['ours', 'bare', 1.1],
      ['ours', 'bare-ddp', 0.5],
    ]);
    expect(ratioRows('stop', new Map([['ours', [served(110)]]]))).toEqual([]);
    const builds = new Map([
      ['ours', [served(120)]],
      ['other-ours', [served(100)]],
    ]);
    expect(ratioRows('stop', builds)).toMatchObject([
      { client: 'ours', beside: 'other-ours', 'median / median': 1.2 },
    ]);
  });

  it('compare them as if both had been equally lucky', () => {
    const tries = (n: number, servedMs: number) => ({
      ...served(servedMs),
      attempts: Array(n).fill({ ms: 1, outcome: 'failed' }),
    });
    // One was lucky three times of four, the other once: attempt by attempt they are ten per cent apart.
    const lucky = [tries(1, 100), tries(1, 100), tries(1, 100), tries(2, 200)];
    const unlucky = [tries(1, 110), tries(2, 220), tries(2, 220), tries(2, 220), tries(9, 990)];
    const [row] = ratioRows(
      'stop',
      new Map([
        ['ours', unlucky],
        ['bare', lucky],
      ]),
    );
    expect([row!['median / median'], row!['at equal luck']]).toEqual([2.2, 1.1]);
  });

  it('show every column of every row', () => {
    expect(
      markdown([
        { a: 1, b: undefined },
        { a: NaN, c: false },
      ]),
    ).toBe(['| a | b | c |', '| --- | --- | --- |', '| 1 | – | – |', '| – | – | false |'].join('\n'));
  });
});
