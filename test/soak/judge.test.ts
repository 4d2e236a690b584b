import { expect, test } from 'vitest';
import { seeded } from '../support/random.ts';
import { judge, type Sample } from './judge.ts';

const random = seeded(1);
/** 2.5 MB that go up and down by 1 %, and what grows by so much with each sample. */
const samples = (count: number, grows: Partial<Sample>): Sample[] =>
  Array.from({ length: count }, (_, i) => {
    const of = (what: keyof Sample, base: number, noise: number) =>
      base + i * (grows[what] ?? 0) + Math.round(noise * (random() - 0.5));
    return {
      heap: of('heap', 2_500_000, 25_000),
      listeners: of('listeners', 30, 4),
      nodes: of('nodes', 9, 0),
      timers: of('timers', 2, 2),
      workers: of('workers', 0, 0),
      sockets: of('sockets', 1, 1),
    };
  });
const bad = (of: Sample[]) => judge(of).flatMap(({ what, ok }) => (ok ? [] : [what]));

test('noise is no growth, and what grew while it warmed up does not count', () => {
  expect(bad(samples(40, {}))).toEqual([]);
  const warmedUp = samples(40, {}).map((sample, i) => ({
    ...sample,
    heap: sample.heap - (i < 8 ? 500_000 : 0),
  }));
  expect(bad(warmedUp)).toEqual([]);
});

test.each([
  ['heap', { heap: 4_000 }],
  ['listeners', { listeners: 1 }],
  ['nodes', { nodes: 1 }],
  ['timers', { timers: 1 }],
  ['workers', { workers: 1 }],
  ['sockets', { sockets: 1 }],
] as const)('%s that grow are seen', (what, grows) => {
  expect(bad(samples(40, grows))).toEqual([what]);
});

test('too few samples are no verdict', () => {
  expect(() => judge(samples(14, {}))).toThrow(/too few/);
});
