import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailoverOptions } from '../../src/core/api/options.ts';
import { accepts, hangs, heartbeat, refuses, sequence, World, named, identify } from '../support/world.ts';

// One dial from its decision to its end. An upgrade or a refusal takes 80 ms, an answer 40 ms.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const options: FailoverOptions = { policy: 'fast', probe: false };
const link = (more: FailoverOptions = {}, url?: Parameters<World['link']>[1]) =>
  world.link({ ...options, ...more }, url);
const attempts = (ws: ReturnType<World['link']>) => {
  const seen: object[] = [];
  ws.on('attempt', ({ startedAt, waitedMs, durationMs, outcome }) =>
    seen.push({ at: Math.round(startedAt - 1_000_000), waitedMs, durationMs, outcome }),
  );
  return seen;
};
const later = <T>(ms: number, value: T) => new Promise<T>((resolve) => setTimeout(resolve, ms, value));

describe('a deadline', () => {
  test('ends a dial that hangs: its socket is closed, and nothing of it is heard any more', async () => {
    world.behaviour = sequence(hangs(), accepts({ openAfterMs: 1_000 }));
    const ws = link();
    const seen = attempts(ws);
    await world.pass(1_600);
    const [first] = world.sockets;
    expect(first!.closedWith).toBeDefined();
    first!.serverOpens();
    first!.serverSends('too late', 0);
    await world.pass(1_500);
    expect(seen).toEqual([
      { at: 0, waitedMs: 0, durationMs: 1_500, outcome: 'timeout' },
      { at: 1_500, waitedMs: 0, durationMs: 1_000, outcome: 'open' },
    ]);
    expect(world.log.join()).not.toContain('too late');
  });

  test('is over for one that opened in time', async () => {
    world.behaviour = accepts({ openAfterMs: 1_499 });
    const ws = link();
    await world.pass(60_000);
    expect([ws.status.name, world.sockets.length]).toEqual(['online', 1]);
    expect(world.left.timers).toBe(0);
  });

  test('of a replacement beside a connection that serves is over too', async () => {
    const ws = link({ heartbeat });
    await world.pass(1_000);
    ws.reconnect();
    await world.pass(60_000);
    expect([ws.status.name, world.sockets.length]).toEqual(['online', 2]);
  });

  test('of a login is its own, and begins when the connection is open', async () => {
    world.behaviour = accepts({ openAfterMs: 1_400 });
    const ws = link({ handshake: () => later(9_900, undefined) });
    await world.pass(11_299);
    expect(ws.status.name).toBe('connecting');
    await world.pass(1);
    expect([ws.status.name, world.sockets.length]).toEqual(['online', 1]);
  });

  test('of a login that takes longer ends it', async () => {
    const ws = link({ handshake: () => later(10_001, undefined) });
    const seen = attempts(ws);
    await world.pass(10_080);
    expect(seen).toEqual([{ at: 0, waitedMs: 0, durationMs: 10_080, outcome: 'handshake' }]);
    expect(world.sockets[0]!.closedWith).toBeDefined();
  });
});

describe('time that is none of the handshake’s', () => {
  test('pace, provider and lock are waited for, and told together', async () => {
    world.behaviour = sequence(refuses(), accepts({ openAfterMs: 1_000 }));
    let letGo = () => {};
    const ws = link({ policy: { preset: 'fast', fastAttempts: 1, baseMs: 1_000 } }, () =>
      later(300, 'wss://app.example/'),
    );
    const seen = attempts(ws);
    await world.pass(400);
    void world.locks!.request(
      'failover-websocket:app.example',
      () => new Promise<void>((resolve) => (letGo = resolve)),
    );
    await world.pass(2_000);
    letGo();
    await world.pass(1_000);
    expect(seen).toEqual([
      { at: 300, waitedMs: 300, durationMs: 80, outcome: 'refused' },
      // 500 of pace, 300 of the provider, the rest of the lock.
      { at: 2_400, waitedMs: 2_020, durationMs: 1_000, outcome: 'open' },
    ]);
  });

  test('a lock is waited for beyond the time that a provider has', async () => {
    let letGo = () => {};
    void world.locks!.request(
      'failover-websocket:app.example',
      () => new Promise<void>((resolve) => (letGo = resolve)),
    );
    const ws = link({}, () => later(9_000, 'wss://app.example/'));
    const seen = attempts(ws);
    await world.pass(12_000);
    letGo();
    await world.pass(100);
    expect(seen).toEqual([{ at: 12_000, waitedMs: 12_000, durationMs: 80, outcome: 'open' }]);
  });
});

describe('a provider', () => {
  test('is told that its answer is not wanted any more: at the deadline, at close()', async () => {
    const signals: AbortSignal[] = [];
    const ws = link({}, ({ signal }) => (signals.push(signal), new Promise(() => {})));
    await world.pass(9_999);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await world.pass(1);
    await world.pass(300);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    ws.close();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    await world.pass(10);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
  });

  test('that answers or throws after that does nothing', async () => {
    let asked = 0;
    const ws = link({}, async () => {
      if (++asked > 2) return 'wss://app.example/';
      await later(10_500, undefined);
      if (asked === 1) return 'wss://late.example/';
      throw new Error('late');
    });
    await world.pass(60_000);
    expect(world.sockets.map(({ url }) => url)).toEqual(['wss://app.example/']);
    expect([ws.status.name, world.log.filter((line) => line.includes('warning'))]).toEqual(['online', []]);
  });

  test('that throws for a standby is warned of, and the link goes on', async () => {
    world.behaviour = sequence(named('a'), named('b'));
    let asked = 0;
    const ws = link({ standby: 'warm', heartbeat, identify }, () => {
      if (++asked === 2) throw new Error('not now');
      return 'wss://app.example/';
    });
    await world.pass(2_000);
    expect(world.log.filter((line) => /warning|down|attempt/.test(line))).toEqual([
      '80 attempt open',
      '455 warning callback',
    ]);
    expect(ws.status).toMatchObject({ name: 'online', node: 'a', standby: 'b' });
  });

  test('is told of a standby as of a dial without a cause', async () => {
    world.behaviour = sequence(accepts({ greeting: 'node a' }), refuses());
    const contexts: object[] = [];
    link({ standby: 'warm', identify }, ({ attempt, cause }) => {
      contexts.push({ attempt, cause });
      return 'wss://app.example/';
    });
    await world.pass(1_500);
    expect(contexts).toEqual([
      { attempt: 1, cause: undefined },
      { attempt: 1, cause: undefined },
      { attempt: 2, cause: undefined },
    ]);
  });
});

describe('given up', () => {
  test('a hedge that is not needed is closed at once where engines free it', async () => {
    const ws = link({ heartbeat, policy: { preset: 'fast', deadlineFloorMs: 2_000 } });
    await world.pass(1_000);
    world.behaviour = accepts({ openAfterMs: 600 });
    world.sockets[0]!.stallMs = 300;
    while (ws.status.name === 'online') await world.pass(1);
    await world.pass(100);
    world.sockets[0]!.stallMs = 0;
    while (ws.status.name === 'suspect') await world.pass(1);
    expect(world.last.closedWith).toBeDefined();
    await world.pass(5_000);
    expect(world.sockets).toHaveLength(2);
  });

  test('a pace that is not needed any more dials nothing', async () => {
    const ws = link({ heartbeat, policy: { preset: 'fast', spreadMs: 20 } });
    await world.pass(1_000);
    world.random = 0.999;
    // The answer comes 10 ms after it was due, and the hedge would have waited for 20.
    world.sockets[0]!.stallMs = 220;
    while (ws.status.name === 'online') await world.pass(1);
    world.sockets[0]!.stallMs = 0;
    await world.pass(1_000);
    expect([ws.status.name, ws.stats().hedgesCancelled, world.sockets.length]).toEqual(['online', 1, 1]);
  });
});
