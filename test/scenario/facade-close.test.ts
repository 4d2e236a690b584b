import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import { accepts, hangs, heartbeat, refuses, sequence, World, type Behaviour } from '../support/world.ts';

let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const NOTHING = { timers: 0, listeners: 0, sockets: 0 };
const closes = () => world.log.filter((line) => / (close|error|status closed)/.test(line));

describe('close()', () => {
  test('an open link: an orderly end, once, with code and reason', async () => {
    const ws = world.link({ heartbeat });
    const ends: unknown[] = [];
    ws.onclose = ({ code, reason, wasClean }) => ends.push([code, reason, wasClean]);
    await world.pass(100);
    ws.close(4001, 'bye');
    expect(ws.status).toEqual({ name: 'closed', code: 4001, reason: 'bye' });
    ws.close(4002, 'again');
    ws.send('discarded');
    await world.pass(100);
    expect(world.last.closedWith).toEqual({ code: 4001, reason: 'bye' });
    expect([closes(), ends, world.left]).toEqual([
      ['100 status closed', '140 close 4001'],
      [[4001, 'bye', true]],
      NOTHING,
    ]);
    ws.close();
    ws.reconnect();
    await world.pass(60_000);
    expect([world.sockets.length, closes().length, ws.readyState]).toEqual([1, 2, 3]);
  });

  test('without a code: 1000', async () => {
    const ws = world.link();
    await world.pass(100);
    ws.close();
    expect(world.last.closedWith).toEqual({ code: 1000, reason: '' });
  });

  test('on a path that is dead: not waited for longer than a second', async () => {
    const ws = world.link({ heartbeat });
    await world.pass(100);
    world.last.vanished = true;
    ws.close();
    await world.pass(999);
    expect(ws.readyState).toBe(2);
    await world.pass(1);
    expect([closes(), ws.readyState, world.left]).toEqual([
      ['100 status closed', '1100 error', '1100 close 1006'],
      3,
      NOTHING,
    ]);
  });

  test('nothing is delivered after it', async () => {
    const ws = world.link();
    await world.pass(100);
    world.last.hearsWhileClosing = true;
    world.last.serverSends('under way', 20);
    ws.close();
    await world.pass(100);
    expect(world.log.join()).not.toContain('under way');
  });

  test('an answer that comes while closing starts no heart again', async () => {
    const ws = world.link({ heartbeat });
    await world.pass(110);
    // `ws` on Node delivers frames in CLOSING. The pong comes at 120, the close frame at 150.
    world.last.hearsWhileClosing = true;
    ws.close();
    await world.pass(60);
    expect([ws.readyState, world.left]).toEqual([3, NOTHING]);
  });

  test.each<[string, Behaviour, afterMs: number]>([
    ['before the first dial is out', hangs(), 0],
    ['while dialling', hangs(), 50],
    ['while waiting', refuses(0), 100],
    ['while a provider is asked', hangs(), 1],
  ])('%s: as a WebSocket closed before it was open', async (_, behaviour, afterMs) => {
    world.behaviour = behaviour;
    const ws = world.link({ policy: { fastAttempts: 1, baseMs: 10_000 }, heartbeat });
    await world.pass(afterMs);
    ws.close(4001, 'bye');
    expect(ws.readyState).toBe(2);
    // Asynchronously, as everywhere: listeners may be added after close().
    expect(closes().filter((line) => !line.includes('status'))).toEqual([]);
    await world.pass(10);
    expect(closes().map((line) => line.replace(/^\d+ /, ''))).toEqual([
      'status closed',
      'error',
      'close 1006',
    ]);
    expect([ws.readyState, world.left]).toEqual([3, NOTHING]);
    await world.pass(60_000);
    expect(world.sockets.length).toBeLessThanOrEqual(1);
  });

  test('while offline', async () => {
    world.online = false;
    const ws = world.link();
    await world.pass(100);
    ws.close();
    await world.pass(10);
    expect([ws.readyState, world.sockets, world.left]).toEqual([3, [], NOTHING]);
  });

  test('while suspect, with a dial beside it: both are closed', async () => {
    world.behaviour = sequence(accepts(), hangs());
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(400);
    ws.send('held');
    ws.close();
    await world.pass(1_100);
    expect(world.log.slice(-5)).toEqual([
      '1400 attempt cancelled',
      '1400 status closed',
      '2400 warning queue-discarded',
      '2400 error',
      '2400 close 1006',
    ]);
    expect(world.sockets.map(({ closedWith }) => closedWith?.code)).toEqual([1000, 1000]);
    expect(world.left).toEqual(NOTHING);
  });

  test('while a handshake runs', async () => {
    let rejected: unknown;
    const ws = world.link({
      handshake: async (_send, receive) => {
        await receive().catch((error: unknown) => (rejected = error));
      },
    });
    await world.pass(100);
    ws.close();
    await world.pass(100);
    expect([ws.readyState, world.left, rejected]).toEqual([
      3,
      NOTHING,
      expect.objectContaining({ kind: 'closed' }),
    ]);
    expect(world.log.join()).not.toContain('open');
  });

  test('while a probe is under way: it is aborted', async () => {
    world.behaviour = refuses(10);
    let signal: AbortSignal | undefined | null;
    world.fetchAnswer = (_url, init) =>
      new Promise((_resolve, reject) => {
        signal = init!.signal;
        signal!.addEventListener('abort', () => reject(signal!.reason as Error));
      });
    const ws = world.link();
    await world.pass(50);
    expect(signal?.aborted).toBe(false);
    ws.close();
    await world.pass(10);
    expect([signal?.aborted, world.left]).toEqual([true, NOTHING]);
  });

  test('frames that waited are discarded, and that is told', async () => {
    world.behaviour = hangs();
    const ws = world.link();
    const details: unknown[] = [];
    ws.on('warning', ({ kind, detail }) => details.push([kind, detail]));
    ws.send('a');
    ws.send('b');
    ws.close();
    await world.pass(10);
    expect([details, ws.bufferedAmount]).toEqual([[['queue-discarded', 2]], 0]);
  });

  test.each<[string, (ws: FailoverWebSocket, close: () => void) => void]>([
    ['open', (ws, close) => ws.addEventListener('open', close)],
    ['up', (ws, close) => ws.on('up', close)],
    ['attempt', (ws, close) => ws.on('attempt', close)],
    ['status', (ws, close) => ws.on('status', close)],
    ['a registry entry', (ws, close) => ws.subscriptions.set('a', () => (close(), 'sub a'))],
  ])('inside %s: nothing after it but the end', async (_, hook) => {
    const ws = world.link({ policy: 'fast', heartbeat });
    let at = -1;
    ws.send('waited');
    hook(ws, () => {
      if (at < 0) at = world.log.length;
      ws.close();
    });
    await world.pass(500);
    const rest = world.log.slice(at).map((line) => line.replace(/^\d+ /, ''));
    // Listeners of the event that is being dispatched still run; no new connection, no up, no status but closed.
    expect(
      rest.filter((line) => !/^(open|attempt open|status closed|warning queue-discarded)$/.test(line)),
    ).toEqual(['close 1000']);
    expect([ws.readyState, world.left, world.sockets.length]).toEqual([3, NOTHING, 1]);
  });

  test.each(['down', 'attempt', 'suspect', 'status'] as const)(
    'inside %s of a link in trouble: nothing is left',
    async (event) => {
      world.behaviour = sequence(accepts(), hangs());
      const ws = world.link({ policy: 'fast', heartbeat, hedge: event !== 'down' });
      await world.pass(1_000);
      world.last.vanished = true;
      ws.on(event, () => ws.close());
      await world.pass(10_000);
      expect([ws.readyState, world.left]).toEqual([3, NOTHING]);
      expect(world.log.filter((line) => line.includes(' close '))).toHaveLength(1);
    },
  );

  test('inside open: what waited is not sent any more, and that is told', async () => {
    const ws = world.link();
    ws.send('waited');
    ws.onopen = () => ws.close();
    await world.pass(200);
    expect([world.last.received, world.log.slice(-2)]).toEqual([
      [],
      ['120 warning queue-discarded', '120 close 1000'],
    ]);
  });

  test('inside the open listener of a replacement: its first frame is not delivered', async () => {
    world.behaviour = sequence(accepts(), accepts({ greeting: 'too late' }));
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    ws.onopen = () => ws.close();
    world.last.vanished = true;
    await world.pass(2_000);
    expect(world.log.join()).not.toContain('too late');
    expect([ws.readyState, world.left]).toEqual([3, NOTHING]);
  });

  test('inside a message listener: the frames after it are not delivered', async () => {
    const ws = world.link();
    await world.pass(100);
    world.last.hearsWhileClosing = true;
    ws.onmessage = () => ws.close();
    world.last.serverSends('1', 0);
    world.last.serverSends('2', 0);
    await world.pass(100);
    expect(world.log.filter((line) => line.includes('message'))).toEqual(['100 message 1']);
  });

  test.each<[unknown, string]>([
    [999, 'close: expected code 1000 or one from 3000 to 4999, got 999.'],
    [1001, 'got 1001.'],
    [1006, 'got 1006.'],
    [2999, 'got 2999.'],
    [5000, 'got 5000.'],
    [NaN, 'got NaN.'],
    ['x', 'got "x".'],
  ])('with code %s: InvalidAccessError, and the link lives', async (code, message) => {
    const ws = world.link();
    const close = () => ws.close(code as number);
    expect(close).toThrow(expect.objectContaining({ name: 'InvalidAccessError' }));
    expect(close).toThrow(message);
    await world.pass(100);
    expect(ws.readyState).toBe(1);
  });

  test('with a reason over 123 bytes: SyntaxError; exactly 123 is fine', async () => {
    const ws = world.link();
    await world.pass(100);
    expect(() => ws.close(1000, 'ö'.repeat(62))).toThrow(expect.objectContaining({ name: 'SyntaxError' }));
    expect(ws.readyState).toBe(1);
    ws.close(1000, `${'ö'.repeat(61)}x`);
    expect(world.last.closedWith!.reason).toHaveLength(62);
  });
});

test('a provider that closes the link when it is asked: closed, and nothing is left', async () => {
  let asked = 0;
  const ws: FailoverWebSocket = world.link({}, () => {
    if (++asked === 2) ws.close();
    return 'wss://app.example/ws';
  });
  await world.pass(100);
  world.last.serverEnds();
  await world.pass(2_000);
  expect(world.log.filter((line) => line.includes(' close '))).toHaveLength(1);
  expect(ws.readyState).toBe(3);
  expect(world.left).toEqual(NOTHING);
});
