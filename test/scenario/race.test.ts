import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailoverOptions } from '../../src/core/api/options.ts';
import {
  accepts,
  byHost,
  hangs,
  heartbeat,
  refuses,
  sequence,
  World,
  type Behaviour,
} from '../support/world.ts';

// A dial that takes longer than 250 ms gets another address beside it.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const A = 'wss://a.example/';
const B = 'wss://b.example/';
const C = 'wss://c.example/';
const slow = (openAfterMs: number) => accepts({ openAfterMs });
const options: FailoverOptions = { policy: 'fast', probe: false };
const race = (a: Behaviour, b: Behaviour, more: FailoverOptions = {}) => {
  world.behaviour = byHost({ 'a.example': a, 'b.example': b });
  return world.link({ ...options, ...more }, [A, B]);
};
const states = () => world.sockets.map(({ readyState }) => readyState);
const attempts = () => world.log.filter((line) => line.includes('attempt'));

describe('started', () => {
  test('after 250 ms, and the one that opens first is taken', async () => {
    const ws = race(hangs(), accepts());
    await world.pass(249);
    expect(world.hosts()).toBe('a');
    await world.pass(1_000);
    expect(world.log).toEqual([
      '0 dial 1',
      '250 dial 2',
      '330 attempt cancelled',
      '330 open',
      '330 attempt open',
      '330 up first',
      '330 status online',
    ]);
    expect([ws.url, states()]).toEqual([B, [3, 1]]);
    expect(ws.stats()).toMatchObject({ dials: 2, opens: 1, dialFailures: 0 });
  });

  test('the first may win as well', async () => {
    const ws = race(slow(300), slow(300));
    await world.pass(2_000);
    expect(attempts()).toEqual(['300 attempt cancelled', '300 attempt open']);
    expect(states()).toEqual([1, 3]);
    expect(ws.stats()).toMatchObject({ dials: 2, opens: 1 });
  });

  test.each<[string, Behaviour]>([
    ['opened', accepts()],
    ['failed', refuses(100)],
  ])('not for a dial that has %s by then', async (_, a) => {
    race(a, slow(100));
    await world.pass(2_000);
    expect(world.hosts().length).toBe(attempts().length);
    expect(attempts().join()).not.toContain('cancelled');
  });

  test('not for the dial after one that failed, before that has had its own time', async () => {
    // a fails at 200: its timer would be due at 250, b's is at 450.
    world.behaviour = byHost({ 'a.example': refuses(200), 'b.example': slow(240), 'c.example': accepts() });
    world.link(options, [A, B, C]);
    await world.pass(2_000);
    expect(world.hosts()).toBe('ab');
  });

  test('only with another host', async () => {
    world.behaviour = hangs();
    world.link(options, ['wss://a.example/1', 'wss://a.example/2']);
    await world.pass(1_000);
    expect(world.sockets).toHaveLength(1);
  });

  test('with one more, not with all', async () => {
    world.behaviour = hangs();
    world.link(options, [A, B, C]);
    await world.pass(1_400);
    expect(world.hosts()).toBe('ab');
  });

  test('at most one handshake to an address, whatever the outage', async () => {
    world.behaviour = hangs();
    world.link(options, [A, B]);
    for (let t = 0; t < 30_000; t += 50) {
      await world.pass(50);
      const under = world.sockets.filter(({ readyState }) => readyState === 0).map(({ url }) => url);
      expect(new Set(under).size).toBe(under.length);
    }
    expect(world.sockets.length).toBeGreaterThan(8);
  });

  test('on what a provider answered', async () => {
    world.behaviour = byHost({ 'a.example': hangs(), 'b.example': accepts() });
    let asked = 0;
    const ws = world.link(options, () => ((asked += 1), [A, B]));
    await world.pass(1_000);
    expect([asked, world.hosts(), ws.url]).toEqual([1, 'ab', B]);
  });

  test('not while a provider has not answered', async () => {
    world.behaviour = accepts();
    world.link(options, () => new Promise<string[]>((resolve) => setTimeout(resolve, 500, [A, B])));
    await world.pass(1_000);
    expect(world.hosts()).toBe('a');
  });

  test('only with dials to spare', async () => {
    world.behaviour = sequence(...Array.from({ length: 4 }, () => refuses(10)), hangs());
    world.link({ ...options, policy: { preset: 'fast', fastAttempts: 2, dialsPerMinute: 1 } }, [A, B]);
    await world.pass(1_600);
    // Five of the burst of 6 are spent; one is not more than the next outage's lane.
    expect(world.hosts()).toBe('ababa');
  });

  test('its dials come out of the budget', async () => {
    world.behaviour = hangs();
    world.random = 0;
    const ws = world.link(options, [A, B]);
    await world.pass(600_000);
    expect(ws.stats().dials).toBe(world.sockets.length);
    expect(world.sockets.length).toBeLessThanOrEqual(24 + 600 + 1);
  });
});

describe('one fails', () => {
  test('the first: the second goes on, with nothing dialled in its place', async () => {
    const ws = race(refuses(400), slow(400));
    await world.pass(5_000);
    expect(world.log).toEqual([
      '0 dial 1',
      '250 dial 2',
      '400 attempt refused',
      '650 open',
      '650 attempt open',
      '650 up first',
      '650 status online',
    ]);
    expect(ws.stats()).toMatchObject({ dials: 2, dialFailures: 1, opens: 1 });
    ws.send('hello');
    await world.pass(100);
    expect(world.last.received).toEqual(['hello']);
  });

  test('the second: the first goes on', async () => {
    const ws = race(slow(700), refuses(100));
    await world.pass(5_000);
    expect(attempts()).toEqual(['350 attempt refused', '700 attempt open']);
    expect([ws.status.name, world.hosts(), states()]).toEqual(['online', 'ab', [1, 3]]);
  });

  test('then the other as well: both count, and it is dialled on', async () => {
    const ws = race(refuses(400), refuses(400));
    await world.pass(700);
    expect(world.log).toEqual([
      '0 dial 1',
      '250 dial 2',
      '400 attempt refused',
      '650 attempt refused',
      '650 status connecting',
      '650 dial 3',
    ]);
    expect(ws.stats().dialFailures).toBe(2);
    world.behaviour = accepts();
    await world.pass(1_000);
    expect(ws.status.name).toBe('online');
  });

  test('the second first, then the first: it is dialled on', async () => {
    race(refuses(500), refuses(100));
    await world.pass(510);
    expect(attempts()).toEqual(['350 attempt refused', '500 attempt refused']);
    // b failed first: it is the one to try.
    expect(world.hosts()).toBe('abb');
  });

  test('by their deadlines, each its own', async () => {
    race(hangs(), hangs());
    await world.pass(1_760);
    expect(attempts()).toEqual(['1500 attempt timeout', '1750 attempt timeout']);
  });

  test('the one that goes on gets no third beside it', async () => {
    world.behaviour = byHost({ 'a.example': refuses(400), 'b.example': hangs(), 'c.example': accepts() });
    world.link(options, [A, B, C]);
    await world.pass(1_700);
    expect(world.hosts()).toBe('ab');
  });
});

describe('beside a connection that serves', () => {
  test('a hedge is raced too; a late answer ends both', async () => {
    const ws = race(accepts(), accepts(), { heartbeat });
    await world.pass(1_000);
    world.behaviour = byHost({ 'a.example': hangs(), 'b.example': hangs() });
    world.sockets[0]!.stallMs = 700;
    while (ws.status.name === 'online') await world.pass(1);
    await world.pass(300);
    expect(world.hosts()).toBe('aba');
    world.sockets[0]!.stallMs = 0;
    while (ws.status.name === 'suspect') await world.pass(1);
    await world.pass(10);
    expect(states()).toEqual([1, 3, 3]);
    await world.pass(10_000);
    expect(world.hosts()).toBe('aba');
  });

  test('it takes over only when it has answered, and one loses', async () => {
    const ws = race(accepts(), slow(400), { heartbeat, policy: { preset: 'fast', deadlineFloorMs: 1_000 } });
    await world.pass(1_000);
    world.behaviour = byHost({
      'a.example': slow(250),
      'b.example': accepts({ openAfterMs: 400, reply: () => undefined }),
    });
    const [old] = world.sockets;
    old!.vanished = true;
    while (ws.status.name === 'online') await world.pass(1);
    await world.pass(1_000);
    // b is open at 400 and mute; a, dialled at 250, opens at 500 and answers.
    expect(world.hosts()).toBe('aba');
    expect([ws.status.name, states().slice(1)]).toEqual(['online', [3, 1]]);
    expect(world.reports).toMatchObject([
      {
        cause: 'silent',
        attempts: [
          { url: B, outcome: 'cancelled' },
          { url: A, outcome: 'open' },
        ],
      },
    ]);
  });
});

test.each<[string, (ws: ReturnType<World['link']>) => void]>([
  ['close()', (ws) => ws.close()],
  ['hide', () => world.page('hide')],
])('%s in the middle of a race ends both, and its timer', async (_, end) => {
  for (const at of [100, 400]) {
    const ws = race(hangs(), hangs());
    await world.pass(at);
    end(ws);
    await world.pass(1);
    expect(world.left.sockets).toBe(0);
    const { length } = world.sockets;
    await world.pass(5_000);
    expect(world.sockets).toHaveLength(length);
    ws.close();
    await world.pass(10);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
  }
});

describe('where a server sends us', () => {
  const notice = (url: string) => JSON.stringify({ msg: 'drain', afterMs: 1_000, spreadMs: 0, url });

  test.each<[string, string, string[]]>([
    ['an allowed origin', 'wss://b.example/ws', ['b.example']],
    ['one that is not', 'wss://evil.example/ws', ['app.example']],
    ['another port', 'wss://b.example:444/ws', ['app.example']],
    ['another scheme', 'ws://b.example/ws', ['app.example']],
    ['nonsense', 'javascript:alert(1)', ['app.example']],
  ])('%s', async (_, url, expected) => {
    const ws = world.link({ ...options, serverNotices: true, allowedOrigins: ['https://b.example'] });
    await world.pass(100);
    world.last.serverSends(notice(url), 0);
    await world.pass(1_000);
    expect(world.sockets.slice(1).map((socket) => new URL(socket.url).hostname)).toEqual(expected);
    expect(ws.status.name).toBe('online');
    // For that dial only.
    world.last.serverEnds();
    await world.pass(1_000);
    expect(new URL(world.last.url).hostname).toBe('app.example');
  });

  test('nowhere, if none is allowed', async () => {
    world.link({ ...options, serverNotices: true });
    await world.pass(100);
    world.last.serverSends(notice('wss://b.example/ws'), 0);
    await world.pass(1_000);
    expect(world.sockets.map((socket) => new URL(socket.url).hostname)).toEqual([
      'app.example',
      'app.example',
    ]);
  });

  test('an address that does not answer is asked once', async () => {
    world.behaviour = byHost({ 'app.example': accepts(), 'b.example': refuses() });
    world.link({ ...options, serverNotices: true, allowedOrigins: ['wss://b.example'] });
    await world.pass(100);
    world.last.serverSends(notice('wss://b.example/ws'), 0);
    await world.pass(1_000);
    expect(world.sockets.map((socket) => new URL(socket.url).hostname)).toEqual([
      'app.example',
      'b.example',
      'app.example',
    ]);
  });
});
