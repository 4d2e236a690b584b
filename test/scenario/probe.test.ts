import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accepts, hangs, refuses, sequence, World } from '../support/world.ts';

// What a link does with probes; what a probe does is in probe.test.ts.
let world: World;
let rejections: unknown[];
const rejected = (error: unknown) => rejections.push(error);
beforeEach(() => {
  world = new World();
  rejections = [];
  process.on('unhandledRejection', rejected);
});
afterEach(() => {
  process.off('unhandledRejection', rejected);
  world.dispose();
});

const answers = (status: number, afterMs: number) =>
  (world.fetchAnswer = (_url, init) =>
    new Promise((resolve, reject) => {
      init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason as Error));
      setTimeout(() => resolve(new Response(null, { status })), afterMs);
    }));
const fetchesAt = () => world.fetches.map(({ at }) => at);

describe('a probe', () => {
  test('starts after two failures, beside the dial and never before it', async () => {
    answers(502, 30);
    world.behaviour = sequence(accepts(), refuses(), refuses(), refuses(), accepts());
    world.link({}, 'wss://app.example/ws?token=secret');
    await world.pass(100);
    world.last.serverEnds();
    await world.pass(1_000);
    // Dials at 105, 185, 265, 345: the second failure is at 265.
    expect(fetchesAt()).toEqual([265]);
    expect(world.fetches[0]!.url).toBe('https://app.example/ws');
    expect(world.log.filter((line) => line.includes('dial')).map((line) => Number.parseInt(line))).toEqual([
      0, 105, 185, 265, 345,
    ]);
    expect(world.reports[0]!.probes[0]).toEqual({
      url: 'https://app.example/ws',
      advice: expect.stringContaining('the app behind it does not') as string,
      startedAt: 1_000_265,
      durationMs: 30,
      verdict: 'gateway',
      status: 502,
    });
  });

  test('starts after one deadline', async () => {
    answers(200, 30);
    world.behaviour = sequence(accepts(), hangs(), accepts());
    world.link({ policy: 'fast' });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(1_000);
    expect(fetchesAt()).toEqual([1_325]);
  });

  test('one at a time: a slow one is not joined by others', async () => {
    answers(502, 2_000);
    world.behaviour = refuses(10);
    world.link();
    await world.pass(1_500);
    expect(fetchesAt()).toHaveLength(1);
  });

  test('its verdict is evidence only: a 401, a 404, a 200 end no link', async () => {
    for (const status of [401, 404, 200]) {
      answers(status, 5);
      world.behaviour = sequence(refuses(10), refuses(10), refuses(10), accepts());
      const ws = world.link();
      await world.pass(1_000);
      expect(ws.status.name).toBe('online');
    }
  });

  test.each<[string, object, string]>([
    ['switched off', { probe: false }, 'wss://app.example/ws'],
    ['another origin', {}, 'wss://other.example/ws'],
    ['without fetch', { env: { fetch: undefined } }, 'wss://app.example/ws'],
  ])('is not sent: %s', async (_, options, url) => {
    world.behaviour = refuses(10);
    world.link(options, url);
    await world.pass(1_000);
    expect(world.fetches).toEqual([]);
  });

  test('is sent to another origin where the app wants it', async () => {
    answers(200, 5);
    world.behaviour = refuses(10);
    world.link({ probe: { crossOrigin: true } }, 'wss://other.example/ws');
    await world.pass(100);
    expect(world.fetches[0]!.url).toBe('https://other.example/ws');
  });

  test('whose answer comes after the outage harms nothing', async () => {
    answers(502, 3_000);
    world.behaviour = sequence(accepts(), refuses(), refuses(), accepts());
    world.link();
    await world.pass(100);
    world.last.serverEnds();
    await world.pass(10_000);
    expect(world.reports).toHaveLength(1);
    // Node tells of unhandled rejections between two turns of its loop.
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejections).toEqual([]);
  });
});
