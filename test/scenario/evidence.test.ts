import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { POLICIES, type PolicyName } from '../../src/core/api/reconnect-policy.ts';
import type { DialContext, FailoverOptions } from '../../src/core/api/options.ts';
import { accepts, hangs, heartbeat, opensMute, refuses, sequence, World } from '../support/world.ts';

// What a probe beside failing dials changes, and what it does not: pace, patience and what providers are asked; no link ends by it.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const URL_HERE = 'wss://app.example/ws';
const answers = (
  status: number,
  { afterMs = 1, retryAfter }: { afterMs?: number; retryAfter?: string } = {},
) =>
  (world.fetchAnswer = (_url, init) =>
    new Promise((resolve, reject) => {
      init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason as Error));
      const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
      setTimeout(() => resolve(new Response(null, { status, headers })), afterMs);
    }));
const at = (what: string) =>
  world.log.filter((line) => line.includes(` ${what}`)).map((line) => Number.parseInt(line));
/** From the end of a dial to the next one. */
const waits = () => {
  const ends = at('attempt ');
  return world
    .dialsAt()
    .slice(1)
    .map((ms, i) => ms - ends[i]!);
};
const durations = () => at('attempt ').map((ms, i) => ms - world.dialsAt()[i]!);

describe('a server that asks to come back later', () => {
  test.each([
    ['2', 2_000],
    ['5', 5_000],
    // Not beyond the cap of the policy: the probe may have asked the dead node.
    ['6', 5_000],
    ['86400', 5_000],
  ])('Retry-After: %s bounds the pace to one dial in %d ms', async (retryAfter, ms) => {
    answers(503, { retryAfter });
    world.behaviour = refuses(10);
    // Without it the luckiest client waits for nothing.
    world.random = 0;
    world.link({ policy: 'fast' });
    await world.pass(50_000);
    // The second failure is asked about beside the third dial.
    expect(waits().slice(0, 5)).toEqual([0, 0, ms, ms, ms]);
  });

  test('without a time: jitter from the first dial on', async () => {
    answers(429);
    world.behaviour = refuses(10);
    world.link({ policy: 'fast' });
    await world.pass(10_000);
    expect(waits().slice(0, 5)).toEqual([0, 0, 125, 125, 125]);
  });

  test('a later answer takes it back', async () => {
    answers(503, { retryAfter: '5' });
    world.behaviour = refuses(10);
    world.link({ policy: 'fast' });
    await world.pass(100);
    answers(502);
    await world.pass(10_000);
    // Asked again beside the fifth dial, which it does not hold up: from then on the rest of the fast lane.
    expect(waits().slice(0, 7)).toEqual([0, 0, 5_000, 5_000, 0, 0, 0]);
  });

  test('`reconnect()` waits for nobody', async () => {
    answers(503, { retryAfter: '5' });
    world.behaviour = sequence(refuses(10), refuses(10), refuses(10), accepts());
    const ws = world.link({ policy: 'fast' });
    await world.pass(1_000);
    ws.reconnect();
    await world.pass(80);
    expect(ws.status.name).toBe('online');
  });
});

describe('401 and 403', () => {
  test.each([401, 403])('%d: the provider is asked for fresh credentials, at a slow pace', async (status) => {
    answers(status);
    const asked: unknown[] = [];
    world.behaviour = sequence(accepts(), refuses(10));
    const ws = world.link({ policy: 'fast' }, ({ attempt, cause }) => {
      asked.push([attempt, cause]);
      return URL_HERE;
    });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(2_000);
    expect(asked.slice(0, 7)).toEqual([
      [1, undefined],
      [1, 'lost'],
      [2, 'refused'],
      [3, 'refused'],
      [4, 'unauthorized'],
      [5, 'unauthorized'],
      [6, 'unauthorized'],
    ]);
    // Half of 250 ms, as chance is 0.5, instead of the fast lane.
    expect(waits().slice(2, 6)).toEqual([0, 125, 125, 125]);
    world.behaviour = accepts();
    await world.pass(6_000);
    expect(ws.status.name).toBe('online');
    // The next outage knows nothing of it.
    world.last.serverEnds();
    await world.pass(1_000);
    expect(asked.at(-1)).toEqual([1, 'lost']);
  });

  test('the protocol provider is asked as well', async () => {
    answers(401);
    const asked: unknown[] = [];
    world.behaviour = refuses(10);
    world.link({ policy: 'fast' }, URL_HERE, ({ cause }) => (asked.push(cause), ['token']));
    await world.pass(1_000);
    expect(asked.slice(0, 4)).toEqual([undefined, 'refused', 'refused', 'unauthorized']);
  });

  test.each<[string, (context: DialContext) => Promise<string> | string]>([
    [
      'throws',
      ({ cause }) => {
        if (cause === 'unauthorized') throw new Error('logged out');
        return URL_HERE;
      },
    ],
    [
      'rejects',
      ({ cause }) =>
        cause === 'unauthorized' ? Promise.reject(new Error('logged out')) : Promise.resolve(URL_HERE),
    ],
  ])('a provider that %s then ends the link', async (_, provider) => {
    answers(401);
    world.behaviour = sequence(accepts(), refuses(10));
    const ws = world.link({ policy: 'fast' }, provider);
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(60_000);
    expect(world.log.slice(-4).filter((line) => !line.includes('status'))).toEqual([
      '1160 giveup unauthorized',
      '1160 error',
      '1160 close 1006',
    ]);
    expect(ws.status).toMatchObject({
      name: 'failed',
      error: { kind: 'unauthorized', cause: { message: 'logged out' } },
    });
    expect([ws.readyState, world.left]).toEqual([ws.CLOSED, { timers: 0, listeners: 0, sockets: 0 }]);
  });

  test('a provider that throws for another reason is paced, and asked again', async () => {
    answers(200);
    world.behaviour = accepts();
    let left = 3;
    const ws = world.link({ policy: 'fast' }, () => {
      if ((left -= 1) >= 0) throw new Error('offline');
      return URL_HERE;
    });
    await world.pass(2_000);
    expect(world.log.filter((line) => /warning|giveup/.test(line))).toHaveLength(3);
    expect(ws.status.name).toBe('online');
  });

  test.each<[string, FailoverOptions]>([
    ['', {}],
    [', not even with attempts to use up in the end', { policy: { maxAttempts: 1_000 } }],
  ])('nobody who could refresh them: the link goes on for ever%s', async (_, options) => {
    answers(401);
    world.behaviour = sequence(accepts(), refuses(10));
    const ws = world.link(options);
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(600_000);
    expect(world.log.join()).not.toMatch(/giveup|close/);
    world.behaviour = accepts();
    await world.pass(11_000);
    expect(ws.status.name).toBe('online');
  });

  test('while an old connection serves, nobody is asked to end it', async () => {
    answers(401);
    const causes: unknown[] = [];
    world.behaviour = sequence(accepts(), refuses(10));
    const ws = world.link({ policy: 'fast' }, ({ cause }) => {
      causes.push(cause);
      if (cause === 'unauthorized') throw new Error('logged out');
      return URL_HERE;
    });
    await world.pass(1_000);
    ws.reconnect();
    await world.pass(60_000);
    expect(world.sockets.length).toBeGreaterThan(10);
    world.sockets[0]!.serverSends('news', 0);
    expect([world.log.at(-1), ws.readyState, causes.includes('unauthorized')]).toEqual([
      '61000 message news',
      ws.OPEN,
      false,
    ]);
    // It ends: now every dial fails.
    world.sockets[0]!.serverEnds();
    await world.pass(10_000);
    expect([causes.at(-1), ws.status.name]).toEqual(['unauthorized', 'failed']);
  });

  test('while an old connection is silent neither: it may still answer', async () => {
    answers(401);
    const causes: unknown[] = [];
    world.behaviour = sequence(accepts(), refuses(10));
    const ws = world.link({ policy: 'fast', heartbeat }, ({ cause }) => (causes.push(cause), URL_HERE));
    await world.pass(1_000);
    world.last.reply = () => undefined;
    await world.pass(5_000);
    expect(causes).not.toContain('unauthorized');
    world.sockets[0]!.serverSends('news', 0);
    expect([ws.status.name, world.log.at(-1)]).toEqual(['online', '6000 message news']);
  });
});

describe('an app that answers beside a dial that hangs', () => {
  const outage = async (status: number) => {
    answers(status);
    world.behaviour = sequence(accepts(), refuses(), hangs());
    world.link({ policy: 'fast' });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(310_000);
    return durations().slice(1, 6);
  };

  test('is no queue but a black hole: short deadlines again', async () => {
    // Patient because a dial had failed fast, until the answer to the question that is asked in the pause after the hang.
    expect(await outage(200)).toEqual([80, 20_000, 320, 320, 320]);
  });

  test.each([502, 404, 500])('%d is no such word: still patient', async (status) => {
    expect(await outage(status)).toEqual([80, 20_000, 40_000, 60_000, 60_000]);
  });

  test('before anything hung it shortens nothing: the survivor may be queueing', async () => {
    answers(200);
    world.behaviour = sequence(accepts(), refuses(), refuses(), refuses(), accepts({ openAfterMs: 9_000 }));
    const ws = world.link({ policy: 'fast' });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(9_500);
    expect([ws.status.name, world.fetches.length, world.dialsAt().length]).toEqual(['online', 1, 5]);
  });
});

describe('the budget', () => {
  test.each<PolicyName>(['fast', 'balanced', 'frugal'])(
    '%s: dials and probes together never exceed it',
    async (policy) => {
      answers(502);
      world.behaviour = refuses(10);
      world.random = 0;
      world.link({ policy });
      await world.pass(600_000);
      const { fastAttempts, dialsPerMinute } = POLICIES[policy];
      const all = [...world.dialsAt(), ...world.fetches.map((fetch) => fetch.at)].sort((a, b) => a - b);
      expect(world.fetches.length).toBeGreaterThan(0);
      // A bucket of two fast lanes that is refilled at the long-run rate.
      let [tokens, last, least] = [3 * fastAttempts, 0, Infinity];
      for (const ms of all) {
        tokens = Math.min(3 * fastAttempts, tokens + ((ms - last) * dialsPerMinute) / 60_000) - 1;
        last = ms;
        least = Math.min(least, tokens);
      }
      expect(least).toBeGreaterThan(-0.01);
    },
  );

  test('has nothing to spare for probes in a long outage', async () => {
    answers(502);
    world.behaviour = refuses(10);
    world.random = 0;
    world.link({ policy: 'fast' });
    await world.pass(900_000);
    // After the 2nd, 6th, 10th and 14th failure; then the 24 dials there were at first are down to 4, which are kept for dials.
    expect(world.fetches.map((fetch) => Math.round(fetch.at))).toEqual([20, 60, 100, 140]);
  });
});

describe('an answer that comes late', () => {
  test('after the outage it is neither told nor kept', async () => {
    answers(503, { afterMs: 2_000, retryAfter: '5' });
    world.behaviour = sequence(accepts(), refuses(10), refuses(10), accepts());
    const ws = world.link({ policy: 'fast' });
    const told: unknown[] = [];
    ws.on('probe', (report) => told.push(report));
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(5_000);
    expect([world.fetches.length, told, world.reports[0]!.probes]).toEqual([1, [], []]);
    world.last.serverEnds();
    await world.pass(500);
    expect(world.dialsAt().slice(-2)).toEqual([1_025, 6_005]);
  });

  test('in the next outage it says nothing about that one', async () => {
    answers(503, { afterMs: 2_000, retryAfter: '5' });
    world.behaviour = sequence(accepts(), refuses(10), refuses(10), accepts(), refuses(10));
    const ws = world.link({ policy: 'fast' });
    const told: unknown[] = [];
    ws.on('probe', (report) => told.push(report));
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(500);
    world.last.serverEnds();
    await world.pass(1_600);
    expect(told).toEqual([]);
    // The fast lane, then its jitter: no wait of 5 s.
    expect(waits().slice(4, 10)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('while the new connection has not spoken yet: told, and dialled on at once when it falls', async () => {
    answers(503, { afterMs: 100, retryAfter: '5' });
    world.behaviour = sequence(
      accepts(),
      refuses(10),
      refuses(10),
      opensMute({ endsAfterMs: 100 }),
      accepts(),
    );
    const ws = world.link({ policy: 'fast', heartbeat });
    const told: unknown[] = [];
    ws.on('probe', ({ verdict }) => told.push(verdict));
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(1_000);
    expect([told, ws.status.name, world.dialsAt().length]).toEqual([['overloaded'], 'online', 5]);
  });

  test('a link that is closed hears of no probe, and aborts it', async () => {
    answers(502, { afterMs: 2_000 });
    world.behaviour = refuses(10);
    const ws = world.link({ policy: 'fast' });
    const told: unknown[] = [];
    ws.on('probe', (report) => told.push(report));
    await world.pass(100);
    ws.close();
    expect(world.fetches[0]!.init!.signal!.aborted).toBe(true);
    await world.pass(5_000);
    expect([told, world.left]).toEqual([[], { timers: 0, listeners: 0, sockets: 0 }]);
  });
});
