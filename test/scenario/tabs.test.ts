import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import type { FailoverOptions } from '../../src/core/api/options.ts';
import {
  accepts,
  byHost,
  hangs,
  heartbeat,
  refuses,
  sequence,
  World,
  named,
  identify,
} from '../support/world.ts';

// Links of one world are the tabs of one origin: they share its locks. An upgrade takes 80 ms.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const options: FailoverOptions = { policy: 'fast', probe: false };
const tabs = (count: number, more: FailoverOptions = {}, url?: string): FailoverWebSocket[] =>
  Array.from({ length: count }, () => world.link({ ...options, ...more }, url));
const connecting = () => world.sockets.filter(({ readyState }) => readyState === 0).length;
const locked = () => [...world.locks!.queues.values()].flat().length;
/** Lets time pass, and says how many handshakes were under way at once at most. */
const peakWithin = async (ms: number) => {
  let peak = 0;
  for (let t = 0; t < ms; t += 5) {
    peak = Math.max(peak, connecting());
    await world.pass(5);
  }
  return peak;
};
/** Somebody else holds the lock until told to let go. */
const held = (name = 'failover-websocket:app.example') => {
  let letGo = () => {};
  void world.locks!.request(name, () => new Promise<void>((resolve) => (letGo = resolve)));
  return () => letGo();
};
const attempts = (ws: FailoverWebSocket) => {
  const seen: { waitedMs: number; durationMs: number; outcome: string }[] = [];
  ws.on('attempt', ({ waitedMs, durationMs, outcome }) => seen.push({ waitedMs, durationMs, outcome }));
  return seen;
};

describe('one handshake at a time', () => {
  test('tabs take turns, and a deadline runs only in its turn', async () => {
    world.behaviour = accepts({ openAfterMs: 1_400 });
    const all = tabs(6);
    const seen = all.map(attempts);
    expect(await peakWithin(8_400)).toBe(1);
    expect(world.dialsAt()).toEqual([0, 1_400, 2_800, 4_200, 5_600, 7_000]);
    // fast, nothing known: 1.5 s from its own dial on, though the last one waited for 7 s.
    expect(seen.flat()).toEqual(
      [0, 1_400, 2_800, 4_200, 5_600, 7_000].map((waitedMs) => ({
        waitedMs,
        durationMs: 1_400,
        outcome: 'open',
      })),
    );
    expect(locked()).toBe(0);
  });

  test('a refusal and a deadline end a turn as well', async () => {
    world.behaviour = sequence(hangs(), refuses(), accepts());
    const [a, b, c] = tabs(3);
    expect(await peakWithin(1_700)).toBe(1);
    // It hung until 1500 and goes to the end of the queue; the one that is refused at 1580 dials again in the same turn.
    expect(world.dialsAt()).toEqual([0, 1_500, 1_580, 1_660]);
    await world.pass(300);
    expect([a, b, c].map((ws) => ws!.status.name)).toEqual(['online', 'online', 'online']);
    expect(locked()).toBe(0);
  });

  test('an address has a lock of its own, with its port', async () => {
    world.behaviour = hangs();
    tabs(2, {}, 'wss://a.example/1');
    tabs(2, {}, 'wss://a.example:444/1');
    tabs(1, {}, 'wss://b.example/');
    tabs(1, {}, 'wss://a.example/2?token=x');
    await world.pass(0);
    expect(connecting()).toBe(3);
    expect([...world.locks!.queues.keys()]).toEqual([
      'failover-websocket:a.example',
      'failover-websocket:a.example:444',
      'failover-websocket:b.example',
    ]);
  });

  test('an outage of all tabs at once: one after the other, all are back', async () => {
    const all = tabs(8, { heartbeat });
    await world.pass(3_000);
    world.story();
    for (const socket of world.sockets) socket.vanished = true;
    expect(await peakWithin(3_000)).toBe(1);
    expect(all.map((ws) => ws.status.name)).toEqual(Array(8).fill('online'));
  });

  test('an open connection needs no turn: its login may take its time', async () => {
    const [a] = tabs(1, { handshake: () => new Promise(() => {}) });
    const [b] = tabs(1);
    await world.pass(200);
    expect([a!.status.name, b!.status.name]).toEqual(['connecting', 'online']);
  });
});

describe('a turn that is not taken', () => {
  test.each<[string, (ws: FailoverWebSocket) => void]>([
    ['closed', (ws) => ws.close()],
    ['left', () => world.page('hide')],
  ])('%s while it waits: it dials nothing, and the queue goes on without it', async (_, end) => {
    const letGo = held();
    const [ws] = tabs(1);
    await world.pass(100);
    end(ws!);
    letGo();
    await world.pass(10);
    expect([world.sockets.length, locked()]).toEqual([0, 0]);
    const [next] = tabs(1);
    await world.pass(100);
    expect(next!.status.name).toBe('online');
  });

  test.each<[string, (ws: FailoverWebSocket) => void]>([
    ['closed', (ws) => ws.close()],
    ['left', () => world.page('hide')],
  ])('%s while it dials: the next tab dials at once', async (_, end) => {
    world.behaviour = hangs();
    const [ws] = tabs(1);
    await world.pass(100);
    end(ws!);
    await world.pass(0);
    expect([connecting(), locked()]).toEqual([0, 0]);
  });

  test('the old connection answers while the hedge waits for its turn', async () => {
    const [ws] = tabs(1, { heartbeat });
    await world.pass(1_000);
    const seen = attempts(ws!);
    const letGo = held();
    world.last.stallMs = 400;
    await world.pass(2_000);
    expect(ws!.stats().suspicions).toBeGreaterThan(0);
    expect(world.sockets).toHaveLength(1);
    letGo();
    await world.pass(100);
    expect([world.sockets.length, locked()]).toEqual([1, 0]);
    expect(seen.every(({ outcome }) => outcome === 'cancelled')).toBe(true);
  });

  test('what waits for a provider’s answer and is closed takes no turn', async () => {
    let answer = (_: string) => {};
    const url = () => new Promise<string>((resolve) => (answer = resolve));
    const ws = world.link(options, url);
    await world.pass(100);
    ws.close();
    answer('wss://app.example/');
    await world.pass(100);
    expect([world.sockets.length, locked()]).toEqual([0, 0]);
  });

  test('given up in the moment in which it is granted: it is given back', async () => {
    let grant: () => unknown = () => {};
    world.locks = {
      queues: new Map(),
      request: (_: string, __: object, granted: () => unknown) => new Promise(() => (grant = granted)),
    } as never;
    const [ws] = tabs(1);
    ws!.close();
    // A promise would hold it until that is settled.
    expect(grant()).toBeUndefined();
    await world.pass(100);
    expect(world.sockets).toHaveLength(0);
  });
});

describe('a tab that is frozen while it holds the lock', () => {
  test('does not hold the others for longer than a handshake may take', async () => {
    held();
    const [ws] = tabs(1);
    const seen = attempts(ws!);
    await world.pass(10_000);
    expect(world.dialsAt()).toEqual([10_000]);
    await world.pass(80);
    expect(ws!.status.name).toBe('online');
    expect(seen).toEqual([{ waitedMs: 10_000, durationMs: 80, outcome: 'open' }]);
  });

  test('with a lock that comes late nothing is dialled twice, and it is given back', async () => {
    const letGo = held();
    world.behaviour = hangs();
    tabs(1);
    await world.pass(10_100);
    letGo();
    await world.pass(0);
    expect([world.sockets.length, locked()]).toEqual([1, 0]);
    world.behaviour = accepts();
    await world.pass(2_000);
    expect(world.sockets).toHaveLength(2);
  });

  test('its deadline runs from the dial on', async () => {
    held();
    world.behaviour = hangs();
    const [ws] = tabs(1);
    const seen = attempts(ws!);
    await world.pass(11_499);
    expect(seen).toEqual([]);
    await world.pass(1);
    expect(seen).toEqual([{ waitedMs: 10_000, durationMs: 1_500, outcome: 'timeout' }]);
  });

  test('where a longer deadline is in force it is waited for that long', async () => {
    // Chromium adds up to seconds of its own after many failures: its deadline passes the policy's.
    world.userAgent = 'Chrome/156';
    world.behaviour = refuses(10);
    const [ws] = tabs(1, { policy: { preset: 'fast', dialsPerMinute: 6_000, baseMs: 10, capMs: 10 } });
    await world.pass(600);
    expect(ws!.stats().dials).toBeGreaterThan(16);
    const letGo = held();
    await world.pass(100);
    const { length } = world.sockets;
    await world.pass(14_000);
    expect(world.sockets).toHaveLength(length);
    letGo();
    await world.pass(1);
    expect(world.sockets.length).toBeGreaterThan(length);
  });

  test('where abandoned handshakes leak no turn is taken: it is told of, and waited for anew', async () => {
    world.userAgent = 'Firefox/153.0';
    const letGo = held();
    const [ws] = tabs(1);
    const seen = attempts(ws!);
    await world.pass(59_999);
    expect(seen).toEqual([]);
    await world.pass(1);
    expect(seen).toMatchObject([{ outcome: 'timeout' }]);
    await world.pass(5_000);
    expect([world.sockets.length, world.stored.size]).toEqual([0, 0]);
    letGo();
    await world.pass(100);
    expect([ws!.status.name, locked()]).toEqual(['online', 0]);
  });
});

describe('without locks', () => {
  test('the browser has none: each dials alone', async () => {
    world.locks = undefined;
    world.behaviour = hangs();
    tabs(3);
    await world.pass(0);
    expect(connecting()).toBe(3);
  });

  test.each(['SecurityError', 'InvalidStateError'])('%s: each dials alone', async (name) => {
    world.locks = {
      queues: new Map(),
      request: () => Promise.reject(new DOMException('refused', name)),
    };
    const all = tabs(2);
    await world.pass(80);
    expect(all.map((ws) => ws.status.name)).toEqual(['online', 'online']);
    expect(world.sockets).toHaveLength(2);
    // Nor does the time for a frozen tab dial again.
    await world.pass(30_000);
    expect(world.sockets).toHaveLength(2);
  });

  test('a manager that breaks while it holds us dials once', async () => {
    world.locks = {
      queues: new Map(),
      request: (_: string, __: object, granted: () => unknown) => {
        void granted();
        return Promise.reject(new DOMException('stolen', 'AbortError'));
      },
    } as never;
    const [ws] = tabs(1);
    await world.pass(30_000);
    expect([ws!.status.name, world.sockets.length]).toEqual(['online', 1]);
  });
});

test('a standby takes its turn as well, and a dial that matters more gets it', async () => {
  world.behaviour = sequence(named('a'), hangs(), named('b'));
  const [ws] = tabs(1, {
    standby: 'warm',
    heartbeat,
    identify,
  });
  await world.pass(500);
  expect(locked()).toBe(1);
  world.sockets[0]!.serverEnds();
  await world.pass(150);
  expect(ws!.status).toMatchObject({ name: 'online', node: 'b' });
});

test('two addresses of one link are two turns', async () => {
  world.behaviour = byHost({ 'a.example': hangs(), 'b.example': accepts() });
  const letGo = held('failover-websocket:b.example');
  const ws = world.link(options, ['wss://a.example/', 'wss://b.example/']);
  await world.pass(1_000);
  expect(world.sockets).toHaveLength(1);
  letGo();
  await world.pass(80);
  expect(ws.url).toBe('wss://b.example/');
  expect([ws.status.name, connecting(), locked()]).toEqual(['online', 0, 0]);
});
