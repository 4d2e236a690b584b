import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LEAK_MS } from '../../src/core/env/engines.ts';
import type { FailoverOptions } from '../../src/core/api/options.ts';
import {
  accepts,
  byHost,
  heartbeat,
  refuses,
  sequence,
  World,
  type Behaviour,
  named,
  identify,
} from '../support/world.ts';

// Firefox keeps the TCP connection of each handshake that is abandoned while it hangs, and at the sixth to one host it opens no
// WebSocket there any more, in any tab. Links of one world are the tabs of one origin: they share storage and locks.
let world: World;
/** When the engine leaked a connection, by host. */
let leaked: Map<string, number[]>;
beforeEach(() => {
  world = new World();
  world.userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
  leaked = new Map();
});
afterEach(() => world.dispose());

/** Nothing ever comes back, until Firefox itself gives up after 20 s. It leaks when that, or script, gives up. */
const blackHole: Behaviour = (socket) => {
  const host = new URL(socket.url).hostname;
  const leak = () => leaked.set(host, [...(leaked.get(host) ?? []), world.now]);
  const timer = setTimeout(() => {
    leak();
    socket.serverEnds();
  }, 20_000);
  const close = socket.close.bind(socket);
  socket.close = (...how) => {
    if (socket.readyState === 0) leak();
    clearTimeout(timer);
    close(...how);
  };
};
/** Most connections to one host that stood leaked at once. */
const peak = () =>
  Math.max(
    0,
    ...[...leaked.values()].flatMap((times) =>
      times.map((at) => times.filter((other) => other <= at && at - other < LEAK_MS).length),
    ),
  );
const KEY = 'failover-websocket:app.example';
const stored = (key = KEY) => JSON.parse(world.stored.get(key) ?? '[]') as number[];
const options: FailoverOptions = { policy: 'fast', probe: false };

describe('the engine’s limit', () => {
  test('three short deadlines, then only the engine gives up, and the last one is kept', async () => {
    world.behaviour = blackHole;
    world.link(options);
    await world.pass(91_400);
    expect(leaked.get('app.example')!.map(Math.round)).toHaveLength(5);
    const [, , third, fourth, fifth] = leaked.get('app.example')!;
    expect([fourth! - third!, fifth! - fourth!].map((ms) => ms >= 20_000)).toEqual([true, true]);
    expect(stored()).toHaveLength(5);
    const { length } = world.dialsAt();
    // The first is gone 90 s after it was left: then one may be spent again.
    await world.pass(leaked.get('app.example')![0]! + LEAK_MS - world.now - 1);
    expect(world.dialsAt()).toHaveLength(length);
    await world.pass(2);
    expect(world.dialsAt()).toHaveLength(length + 1);
  });

  test.each([1, 2, 3, 8])('is never reached by %i tabs through a black hole', async (tabs) => {
    world.behaviour = blackHole;
    for (let i = 0; i < tabs; i++) world.link(options);
    await world.pass(600_000);
    expect(peak()).toBeGreaterThanOrEqual(4);
    expect(peak()).toBeLessThan(6);
  });

  test('nor by tabs that are opened one by one', async () => {
    world.behaviour = blackHole;
    for (let i = 0; i < 8; i++) {
      world.link(options);
      await world.pass(7_000);
    }
    await world.pass(300_000);
    expect(peak()).toBeLessThan(6);
  });

  test('nor by a page that is loaded again and again', async () => {
    world.behaviour = blackHole;
    for (let i = 0; i < 30; i++) {
      world.link(options);
      await world.pass(4_000);
      world.page('hide');
      await world.pass(100);
    }
    expect(peak()).toBeLessThan(6);
  });

  test('nor while a race, a standby and hedges spend as well', async () => {
    const up = (name: string): Behaviour => sequence(named(name), blackHole);
    world.behaviour = byHost({ 'a.example': up('a'), 'b.example': up('b') });
    const all = [1, 2, 3].map(() =>
      world.link({ ...options, heartbeat, standby: 'warm', identify }, [
        'wss://a.example/',
        'wss://b.example/',
      ]),
    );
    await world.pass(300_000);
    for (const socket of world.sockets) socket.vanished = socket.readyState === 1;
    await world.pass(300_000);
    expect(all.some((ws) => ws.status.name !== 'online')).toBe(true);
    expect(peak()).toBeLessThan(6);
  });

  test('is kept for outages: a standby spends none of it once it runs low', async () => {
    world.behaviour = sequence(accepts({ greeting: 'node a' }), blackHole);
    const ws = world.link({
      ...options,
      standby: 'warm',
      identify,
    });
    await world.pass(85_000);
    expect(stored()).toHaveLength(3);
    world.behaviour = accepts();
    world.sockets[0]!.serverEnds();
    await world.pass(100);
    expect(ws.status.name).toBe('online');
  });

  test('when the node is back it is used as soon as a dial may go out', async () => {
    world.behaviour = blackHole;
    const all = Array.from({ length: 8 }, () => world.link(options));
    await world.pass(60_000);
    world.behaviour = accepts();
    await world.pass(LEAK_MS);
    expect(all.map((ws) => ws.status.name)).toEqual(Array(8).fill('online'));
  });

  test('is the host’s: another one is not held back', async () => {
    world.behaviour = byHost({ 'a.example': blackHole, 'b.example': accepts() });
    const a = world.link(options, 'wss://a.example/');
    await world.pass(80_000);
    expect(stored('failover-websocket:a.example')).toHaveLength(5);
    const b = world.link(options, 'wss://b.example/');
    await world.pass(80);
    expect([a.status.name === 'online', b.status.name]).toEqual([false, 'online']);
  });
});

describe('what counts', () => {
  test('a refusal does not', async () => {
    world.behaviour = refuses();
    world.link(options);
    await world.pass(60_000);
    expect(world.stored.size).toBe(0);
  });

  test('one that the engine gave up does', async () => {
    world.behaviour = blackHole;
    world.link({ ...options, policy: { deadlineFloorMs: 25_000, deadlineCapMs: 60_000 } });
    await world.pass(20_001);
    expect(stored()).toEqual([1_000_000 + 20_000]);
  });

  test('one that ended by itself a second before does not', async () => {
    world.behaviour = refuses(18_999);
    world.link({ ...options, policy: { deadlineFloorMs: 25_000, deadlineCapMs: 60_000 } });
    await world.pass(20_100);
    expect(world.stored.size).toBe(0);
  });

  test.each<[string, (ws: ReturnType<World['link']>) => void]>([
    ['close()', (ws) => ws.close()],
    ['leaving the page', () => world.page('hide')],
  ])('%s while it hangs does', async (_, end) => {
    world.behaviour = blackHole;
    const ws = world.link(options);
    await world.pass(100);
    end(ws);
    await world.pass(10);
    expect(stored()).toEqual([1_000_000 + 100]);
    expect(leaked.get('app.example')).toEqual([100]);
  });

  test('an open connection that is closed does not', async () => {
    const ws = world.link(options);
    await world.pass(100);
    ws.close();
    await world.pass(2_000);
    expect(world.stored.size).toBe(0);
  });

  test('a hedge that is not needed any more opens first, is closed then, and does not', async () => {
    const ws = world.link({ ...options, heartbeat, policy: { preset: 'fast', deadlineFloorMs: 2_000 } });
    await world.pass(1_000);
    world.behaviour = accepts({ openAfterMs: 600 });
    world.sockets[0]!.stallMs = 300;
    while (ws.status.name === 'online') await world.pass(1);
    const { now } = world;
    await world.pass(100);
    world.sockets[0]!.stallMs = 0;
    while (ws.status.name === 'suspect') await world.pass(1);
    // It is told of as cancelled at once, and uses no turn of the app's.
    expect(world.log.at(-2)).toMatch(/attempt cancelled$/);
    expect(world.last.readyState).toBe(0);
    while (world.last.readyState === 0) await world.pass(1);
    expect(world.now - now).toBeGreaterThanOrEqual(600);
    // Open, and closed in the same moment: the server gets a close frame and lets go.
    expect(world.last.readyState).toBe(2);
    await world.pass(5_000);
    expect([world.stored.size, world.sockets.length]).toEqual([0, 2]);
    expect(ws.stats()).toMatchObject({ opens: 1, dialFailures: 0, hedgesCancelled: 1 });
  });

  test('one that is not needed and hangs is given up at its deadline, and does', async () => {
    const ws = world.link({ ...options, heartbeat });
    await world.pass(1_000);
    world.behaviour = blackHole;
    world.sockets[0]!.stallMs = 300;
    while (ws.status.name === 'online') await world.pass(1);
    world.sockets[0]!.stallMs = 0;
    while (ws.status.name === 'suspect') await world.pass(1);
    await world.pass(2_000);
    expect([stored().length, world.last.readyState]).toEqual([1, 3]);
    expect(ws.stats()).toMatchObject({ dialFailures: 0 });
    // Its turn is over: the next dial is not held up.
    world.behaviour = accepts();
    world.sockets[0]!.serverEnds();
    await world.pass(500);
    expect(ws.status.name).toBe('online');
  });

  test('one that is refused after it was not needed does not', async () => {
    const ws = world.link({ ...options, heartbeat, policy: { preset: 'fast', deadlineFloorMs: 2_000 } });
    await world.pass(1_000);
    world.behaviour = refuses(500);
    world.sockets[0]!.stallMs = 300;
    while (ws.status.name === 'online') await world.pass(1);
    world.sockets[0]!.stallMs = 0;
    await world.pass(2_000);
    expect([world.stored.size, ws.stats().dialFailures]).toEqual([0, 0]);
  });

  test('the one that loses a race opens first as well', async () => {
    world.behaviour = byHost({
      'a.example': accepts({ openAfterMs: 600 }),
      'b.example': accepts({ openAfterMs: 100 }),
    });
    world.link(options, ['wss://a.example/', 'wss://b.example/']);
    await world.pass(599);
    expect(world.sockets.map(({ readyState }) => readyState)).toEqual([0, 1]);
    await world.pass(100);
    expect(world.sockets.map(({ readyState }) => readyState)).toEqual([3, 1]);
    expect(world.stored.size).toBe(0);
  });

  test('close() does not wait for one that is not needed any more', async () => {
    const ws = world.link({ ...options, heartbeat });
    await world.pass(1_000);
    world.behaviour = blackHole;
    world.sockets[0]!.stallMs = 300;
    while (ws.status.name === 'online') await world.pass(1);
    world.sockets[0]!.stallMs = 0;
    while (ws.status.name === 'suspect') await world.pass(1);
    ws.close();
    await world.pass(1_000);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
    expect(stored()).toHaveLength(1);
  });
});

describe('the count', () => {
  /** How long the first dial of a link is given where this is stored: 1.5 s, 25 s, or none at all yet. */
  const firstDeadline = async (content: string | undefined): Promise<number> => {
    if (content !== undefined) world.stored.set(KEY, content);
    world.behaviour = () => {};
    const ws = world.link(options);
    let endedAt = NaN;
    ws.on('attempt', () => (endedAt = Number.isNaN(endedAt) ? world.now : endedAt));
    await world.pass(25_001);
    return Math.round(endedAt);
  };
  const at = (...ago: number[]) => JSON.stringify(ago.map((ms) => 1_000_000 - ms));

  test.each<[string, string | undefined]>([
    ['nothing', undefined],
    ['an empty text', ''],
    ['garbage', '}{'],
    ['null', 'null'],
    ['a number', '42'],
    ['a text', '"1000000"'],
    ['an object', '{"length":9,"0":1000000}'],
    ['an object with a map of its own', '{"map":1,"filter":2}'],
    ['a list of no times', '[null,{},[],"x",true,[[1]]]'],
    ['huge numbers', `[${Array(9).fill('1e308').join()}]`],
    ['times of the far future', at(-90_000, -91_000, -10_000_000, -1e9, -1e9, -1e9)],
    ['past ones', at(90_000, 90_001, 1e9, 90_000, 90_000, 90_000)],
    ['two of late', at(1, 2)],
    ['two of late among others', `[null,1e308,-5,${at(1, 2).slice(1)}`],
  ])('stored: %s, a short deadline', async (_, content) => {
    expect(await firstDeadline(content)).toBe(1_500);
  });

  test('stored: three of late, by another tab: no more is given up', async () => {
    expect(await firstDeadline(at(1, 2, 89_000))).toBe(23_750);
  });

  test('stored: ever so many of late: waited for, but for no longer than one lasts', async () => {
    world.stored.set(KEY, at(...Array<number>(50_000).fill(10_000)));
    const ws = world.link(options);
    await world.pass(79_999);
    expect(world.sockets).toHaveLength(0);
    await world.pass(200);
    expect(ws.status.name).toBe('online');
    expect(world.left.sockets).toBe(1);
  });

  test('stored: more than the limit: the last ones count, with no dial in vain between', async () => {
    world.stored.set(KEY, at(80_000, 80_000, 80_000, ...Array<number>(5).fill(10_000)));
    const ws = world.link(options);
    await world.pass(79_000);
    expect([world.sockets.length, ws.stats().dialFailures]).toEqual([0, 1]);
    await world.pass(1_100);
    expect(ws.status.name).toBe('online');
  });

  test('what is not ours does not grow', async () => {
    world.stored.set(KEY, at(...Array<number>(1_000).fill(85_000)));
    world.behaviour = blackHole;
    world.link(options);
    await world.pass(60_000);
    expect(stored().length).toBeLessThanOrEqual(6);
  });

  test('a storage that is full: the tab keeps its own count', async () => {
    world.storage!.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    world.behaviour = blackHole;
    world.link(options);
    await world.pass(300_000);
    expect(peak()).toBeLessThan(6);
    expect(world.log.filter((line) => line.includes('warning'))).toEqual([]);
  });

  test('no storage: the same', async () => {
    world.storage = undefined;
    world.behaviour = blackHole;
    world.link(options);
    await world.pass(300_000);
    expect(peak()).toBeLessThan(6);
  });

  test('a storage that is full of what was there: the same', async () => {
    world.stored.set(KEY, at(1_000));
    world.storage!.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    world.behaviour = blackHole;
    world.link(options);
    await world.pass(80_000);
    expect(peak()).toBeLessThan(6);
  });

  test('a storage that may not be read: the same', async () => {
    world.storage = {
      getItem: () => {
        throw new DOMException('no', 'SecurityError');
      },
      setItem: () => {
        throw new DOMException('no', 'SecurityError');
      },
    };
    world.behaviour = blackHole;
    world.link(options);
    await world.pass(80_000);
    expect(peak()).toBeLessThan(6);
  });
});

test.each([
  'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15',
  '',
])('other engines give up freely and store nothing: %s', async (userAgent) => {
  world.userAgent = userAgent;
  world.stored.set(KEY, JSON.stringify(Array(9).fill(999_999)));
  const before = [...world.stored];
  world.behaviour = blackHole;
  world.link(options);
  await world.pass(60_000);
  expect(peak()).toBeGreaterThan(6);
  expect([...world.stored]).toEqual(before);
});
