import { describe, expect, test } from 'vitest';
import { POLICIES } from '../../../src/core/api/reconnect-policy.ts';
import { Agenda } from './agenda.ts';
import { svg, tick } from './chart.ts';
import { DEFAULTS, hintOf, stampede, type Scenario } from './herd.ts';
import { OTHERS } from './others.ts';
import { ours } from './ours.ts';
import { servedBy, servedOverTime, wastedShare } from './outlook.ts';
import { anyPolicy } from './policies.ts';
import { seeded } from '../../support/random.ts';
import { Series } from './series.ts';
import { balancer, Survivor } from './survivor.ts';

const { fast, balanced, frugal } = POLICIES;

/** A fiftieth of the herd of the docs and of its survivor: it takes the survivor as long, 20 s. */
const small: Scenario = { ...DEFAULTS, clients: 2_000, perSecond: 100 };
const IDEAL_MS = 20_000;

describe('the pieces', () => {
  test('an agenda is in order of time, and of entry within an instant', () => {
    const random = seeded(7);
    const agenda = new Agenda(1_000);
    const at = Array.from({ length: 1_000 }, () => Math.floor(random() * 50));
    at.forEach((time, i) => agenda.add(time, i));
    const out = at.map(() => [agenda.nextAt, agenda.next()]);
    const expected = at.map((time, i) => [time, i]).sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
    expect(out).toEqual(expected);
    expect([agenda.size, agenda.nextAt]).toEqual([0, Infinity]);
  });

  test('an agenda that is full says so', () => {
    const agenda = new Agenda(1);
    agenda.add(1, 1);
    expect(() => agenda.add(2, 2)).toThrow(RangeError);
  });

  test('a survivor works one handshake after the other, in the order they came', () => {
    const survivor = new Survivor(100);
    expect([0, 0, 0, 5, 100].map((now) => survivor.take(now))).toEqual([10, 20, 30, 40, 110]);
  });

  test('a survivor whose queue is full takes no more until one is done', () => {
    const survivor = new Survivor(100, 2);
    // One is worked on, two wait.
    expect([0, 0, 0, 0, 9, 11].map((now) => survivor.take(now))).toEqual([
      10,
      20,
      30,
      undefined,
      undefined,
      40,
    ]);
  });

  test('the balancer tosses a fair coin, until the dead are ejected', () => {
    const toss = balancer(10, 3, 1_000, seeded(3));
    const lands = (now: number) => Array.from({ length: 20_000 }, () => toss(now));
    const before = lands(999);
    expect(before.filter((node) => node === undefined).length / 20_000).toBeCloseTo(0.3, 2);
    for (let node = 0; node < 7; node++) {
      expect(before.filter((one) => one === node).length / 20_000).toBeCloseTo(0.1, 2);
    }
    expect(lands(1_000)).not.toContain(undefined);
  });

  test('a series that outgrows its bins keeps every event', () => {
    const series = new Series();
    for (let at = 0; at < 1_000_000; at += 100) series.add(at);
    const { ms, rates } = series.perSecond(1_000);
    expect(rates.reduce((sum, rate) => sum + (rate * ms) / 1_000, 0)).toBeCloseTo(10_000);
    expect(rates[3]).toBeCloseTo(10, 0);
  });

  test('an axis has four to eight steps, round ones', () => {
    for (const max of [1, 3, 7, 20, 80, 15_000, 123_456]) {
      expect(max / tick(max)).toBeGreaterThanOrEqual(4);
      expect(max / tick(max)).toBeLessThanOrEqual(10);
    }
  });

  test('a chart names what it shows, and names nothing that breaks it', () => {
    const chart = svg({
      title: 'a < b & c',
      subtitle: '',
      x: { label: 's', max: 10 },
      y: { label: 'n', max: 1, show: String },
      lines: [{ name: '<one>', values: [0, 0.5, 1] }],
    });
    expect(chart).toContain('a &lt; b &amp; c');
    expect(chart).toContain('&lt;one&gt;');
    expect(chart).toMatch(/M72\.0 340\.0L316\.0 199\.0L560\.0 58\.0/);
  });
});

describe('a herd', () => {
  test('the same seed is the same herd, another seed another', () => {
    const run = (seed: number) => stampede({ ...small, clients: 300, seed }, ours(fast)).servedAt;
    expect(run(5)).toEqual(run(5));
    expect(run(5)).not.toEqual(run(6));
  });

  test('one that nobody tells and that never asks is never served', () => {
    const run = stampede({ ...small, clients: 100, death: 'silent' }, OTHERS['reconnecting-websocket']!);
    expect([run.unserved, run.dials, servedBy(run, 0.5)]).toEqual([100, 0, Infinity]);
  });

  test('who never lets go of a handshake wastes none, and takes the survivor as long as there is work', () => {
    const run = stampede(small, OTHERS['immediate redial']!);
    expect(wastedShare(run)).toBe(0);
    expect(servedBy(run, 1) / IDEAL_MS).toBeCloseTo(1, 1);
    expect(servedOverTime(run, 20_000, 4)[2]).toBeCloseTo(0.5, 1);
  });

  test('who lets go of all of them too soon is the storm that never drains', () => {
    const hasty = ours({ ...fast, deadlineCapMs: 2_000 });
    // What the library's own patience prevents: a client that takes every hang for a black hole, for ever.
    const stubborn: typeof hasty = (world) => ({ ...OTHERS['immediate redial']!(world), dial: () => 2_000 });
    const limits = { ms: 600_000, dialsPerClient: 200 };
    expect(stampede({ ...small, limits }, stubborn).unserved).toBeGreaterThan(small.clients / 2);
    expect(stampede({ ...small, limits }, hasty).unserved).toBe(0);
  });
});

describe('a herd of this library', () => {
  test.each([
    ['fast', fast],
    ['balanced', balanced],
    ['frugal', frugal],
  ])('%s: with the hint of its node it is served as fast as the survivor can', (_, policy) => {
    const run = stampede({ ...small, hint: true }, ours(policy));
    expect(hintOf(small)).toBe(IDEAL_MS);
    expect(run.unserved).toBe(0);
    expect(servedBy(run, 1)).toBeLessThan(1.3 * IDEAL_MS);
    expect(wastedShare(run)).toBeLessThan(0.2);
  });

  test.each([
    ['fast', fast],
    ['balanced', balanced],
    ['frugal', frugal],
  ])('%s: without a hint in two and a half times that', (_, policy) => {
    const run = stampede(small, ours(policy));
    expect(run.unserved).toBe(0);
    expect(servedBy(run, 1)).toBeLessThan(2.5 * IDEAL_MS);
  });

  test.each<[string, Partial<Scenario>]>([
    ['nodes that fall silent', { death: 'silent' }],
    ['nodes that fall silent and are ejected', { death: 'silent', ejectedAt: 10_000 }],
    ['no dead half, and so nothing that fails fast', { ejectedAt: 0 }],
    ['a survivor with a short backlog', { backlog: 100 }],
    ['probes that say all is well', { probes: 'misled' }],
    ['probes that the survivor pays for', { probes: 'tossed' }],
    ['ten times the crowd', { perSecond: 10 }],
  ])('drains: %s', (_, what) => {
    for (const policy of [fast, balanced, frugal]) {
      for (const hint of [false, true]) {
        const run = stampede({ ...small, clients: 500, perSecond: 25, hint, ...what }, ours(policy));
        expect(run.unserved, `${JSON.stringify(what)}, hint ${hint}`).toBe(0);
      }
    }
  });

  test('of 500 is served as fast as a client alone', () => {
    const world = { ...DEFAULTS, hint: true };
    // Alone: on survivors that nobody keeps waiting.
    const alone = stampede({ ...world, clients: 20_000, perSecond: 1e9 }, ours(balanced));
    const seeds = Array.from({ length: 40 }, (_, seed) => seed);
    const herds = seeds.flatMap((seed) => [
      ...stampede({ ...world, clients: 500, hint: false, seed }, ours(balanced)).servedAt,
    ]);
    herds.sort((a, b) => a - b);
    expect(herds).toHaveLength(20_000);
    expect(herds[19_800]! / servedBy(alone, 0.99)).toBeLessThan(1.2);
  });

  test('drains with every policy that the options allow', () => {
    const year = { ms: 365 * 86_400_000, dialsPerClient: 20_000 };
    for (let seed = 0; seed < 60; seed++) {
      const random = seeded(seed);
      const policy = anyPolicy(random);
      const scenario: Scenario = {
        ...small,
        clients: 200,
        perSecond: 10,
        seed,
        death: random() < 0.5 ? 'silent' : 'gateway',
        ejectedAt: random() < 0.3 ? 0 : Infinity,
        backlog: random() < 0.3 ? 10 : Infinity,
        probes: (['pinned', 'tossed', 'misled', 'none'] as const)[Math.floor(random() * 4)]!,
        limits: year,
      };
      const run = stampede(scenario, ours(policy));
      expect(run.unserved, `seed ${seed}: ${JSON.stringify({ scenario, policy })}`).toBe(0);
    }
  });
});
