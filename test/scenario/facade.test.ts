import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import type { Status } from '../../src/core/api/events.ts';
import type { Frame } from '../../src/core/api/frame.ts';
import { accepts, hangs, heartbeat, refuses, sequence, World } from '../support/world.ts';

let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

/** Exceptions of DOM listeners, which the platform reports as uncaught. */
async function uncaughtWhile(run: () => Promise<unknown>): Promise<unknown[]> {
  const errors: unknown[] = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error));
  try {
    await run();
    await new Promise((resolve) => process.nextTick(resolve));
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  }
  return errors;
}

describe('the surface of WebSocket', () => {
  test('constants, on the class and on what it makes', () => {
    const states = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
    const { CONNECTING, OPEN, CLOSING, CLOSED } = FailoverWebSocket;
    expect({ CONNECTING, OPEN, CLOSING, CLOSED }).toEqual(states);
    const ws = world.link();
    expect(ws).toMatchObject(states);
    expect(ws).toBeInstanceOf(EventTarget);
  });

  test('readyState at each step, and in each listener', async () => {
    world.behaviour = sequence(accepts(), refuses(), accepts());
    const ws = world.link();
    const seen: string[] = [];
    for (const type of ['open', 'message', 'close'] as const) {
      ws.addEventListener(type, () => seen.push(`${type} ${ws.readyState}`));
    }
    for (const event of ['down', 'up', 'attempt'] as const) {
      ws.on(event, () => seen.push(`${event} ${ws.readyState}`));
    }
    expect(ws.readyState).toBe(0);
    await world.pass(100);
    expect(ws.readyState).toBe(1);
    world.last.serverSends('x', 0);
    world.last.serverEnds();
    expect(ws.readyState).toBe(0);
    await world.pass(500);
    expect(ws.readyState).toBe(1);
    ws.close();
    expect(ws.readyState).toBe(2);
    await world.pass(100);
    expect(ws.readyState).toBe(3);
    expect(seen).toEqual([
      'open 1',
      'attempt 1',
      'up 1',
      'message 1',
      'down 0',
      'attempt 0',
      'open 1',
      'attempt 1',
      'up 1',
      'close 3',
    ]);
  });

  test('url, protocol and extensions of the connection', async () => {
    world.behaviour = (socket) => {
      socket.extensions = 'permessage-deflate';
      accepts()(socket);
    };
    const ws = world.link({}, 'https://app.example/ws?x=1', ['v2', 'v1']);
    expect([ws.url, ws.protocol, ws.extensions]).toEqual(['wss://app.example/ws?x=1', '', '']);
    await world.pass(100);
    expect([ws.url, ws.protocol, ws.extensions]).toEqual([
      'wss://app.example/ws?x=1',
      'v2',
      'permessage-deflate',
    ]);
    expect(world.last.protocols).toEqual(['v2', 'v1']);
    world.last.serverEnds();
    expect([ws.protocol, ws.extensions]).toEqual(['', '']);
  });

  test('onopen & co.: replaceable, null when unset, called with the link as this', async () => {
    const ws = world.link();
    const seen: unknown[] = [];
    expect([ws.onopen, ws.onmessage, ws.onerror, ws.onclose]).toEqual([null, null, null, null]);
    ws.onopen = () => seen.push('never');
    ws.onopen = function (event) {
      expectTypeOf(event).toEqualTypeOf<Event>();
      seen.push(this === ws, event.type);
    };
    ws.onmessage = (event) => seen.push(event.data);
    ws.onclose = ({ code, reason, wasClean }) => seen.push([code, reason, wasClean]);
    ws.onerror = () => seen.push('error');
    await world.pass(100);
    world.last.serverSends('x', 0);
    ws.onmessage = null;
    world.last.serverSends('unheard', 0);
    (ws as { onmessage: unknown }).onmessage = 7;
    expect(ws.onmessage).toBeNull();
    ws.close(4000, 'bye');
    await world.pass(100);
    expect(seen).toEqual([true, 'open', 'x', [4000, 'bye', true]]);
  });

  test('onopen keeps its turn among the listeners, as in WebSocket', async () => {
    const ws = world.link();
    const seen: string[] = [];
    ws.addEventListener('open', () => seen.push('a'));
    ws.onopen = () => seen.push('first');
    ws.addEventListener('open', () => seen.push('b'));
    ws.onopen = () => seen.push('handler');
    await world.pass(100);
    expect(seen).toEqual(['a', 'handler', 'b']);
  });

  test('addEventListener with once, signal, objects; removal', async () => {
    const ws = world.link();
    const seen: string[] = [];
    const abort = new AbortController();
    const removed = () => seen.push('removed');
    ws.addEventListener('open', () => seen.push('once'), { once: true });
    ws.addEventListener('open', () => seen.push('signal'), { signal: abort.signal });
    ws.addEventListener('open', { handleEvent: () => seen.push('object') });
    ws.addEventListener('open', removed);
    ws.removeEventListener('open', removed);
    await world.pass(100);
    abort.abort();
    world.last.serverEnds();
    await world.pass(500);
    expect(seen).toEqual(['once', 'signal', 'object', 'object']);
  });

  test("messages are the app's own events, text and binary", async () => {
    const ws = world.link();
    const seen: [unknown, unknown, boolean][] = [];
    ws.addEventListener('message', (event) =>
      seen.push([event.data, event.target, event instanceof MessageEvent]),
    );
    await world.pass(100);
    world.last.serverSends('text', 0);
    world.last.serverSends(new Uint8Array([1, 2]).buffer, 0);
    ws.binaryType = 'arraybuffer';
    world.last.serverSends(new Uint8Array([3, 4]).buffer, 0);
    expect(seen.map(([, target, real]) => [target === ws, real])).toEqual(Array(3).fill([true, true]));
    const [text, blob, buffer] = seen.map(([data]) => data);
    expect(text).toBe('text');
    expect(new Uint8Array(await (blob as Blob).arrayBuffer())).toEqual(new Uint8Array([1, 2]));
    expect(new Uint8Array(buffer as ArrayBuffer)).toEqual(new Uint8Array([3, 4]));
  });

  test('binaryType: blob at first, unknown values are ignored, kept for every connection', async () => {
    const ws = world.link();
    expect(ws.binaryType).toBe('blob');
    ws.binaryType = 'nonsense' as BinaryType;
    expect(ws.binaryType).toBe('blob');
    ws.binaryType = 'arraybuffer';
    await world.pass(100);
    expect(world.last.binaryType).toBe('arraybuffer');
    world.last.serverEnds();
    await world.pass(100);
    expect([ws.binaryType, world.last.binaryType]).toEqual(['arraybuffer', 'arraybuffer']);
  });

  test('binaryType holds from the first frame on, also that of a replacement and of a handshake', async () => {
    const greeting = new Uint8Array([7]).buffer;
    const seen: unknown[] = [];
    world.behaviour = accepts({ greeting });
    const ws = world.link({
      policy: 'fast',
      heartbeat,
      handshake: async (_send, receive) => void seen.push(await receive()),
    });
    ws.binaryType = 'arraybuffer';
    await world.pass(1_000);
    expect(seen).toEqual([greeting]);

    const plain = world.link({ policy: 'fast', heartbeat });
    plain.binaryType = 'arraybuffer';
    plain.onmessage = ({ data }) => seen.push(data);
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(1_000);
    expect(seen.every((data) => data instanceof ArrayBuffer)).toBe(true);
    expect(seen).toHaveLength(3);
  });

  test('what the app sends: text, numbers as text, binary of every kind', async () => {
    const ws = world.link();
    await world.pass(100);
    const view = new Uint8Array([1, 2, 3]);
    for (const frame of ['a', 7, null, undefined, view, view.buffer, new DataView(view.buffer)]) {
      ws.send(frame as unknown as Frame);
    }
    await world.pass(100);
    expect(world.last.received).toEqual([
      'a',
      '7',
      'null',
      'undefined',
      view,
      view.buffer,
      new DataView(view.buffer),
    ]);
  });

  test("bufferedAmount: ours and the engine's, in bytes", async () => {
    const ws = world.link();
    ws.send('äö');
    ws.send(new Uint8Array(3));
    expect(ws.bufferedAmount).toBe(7);
    await world.pass(100);
    expect(ws.bufferedAmount).toBe(0);
    world.last.bufferedAmount = 5;
    expect(ws.bufferedAmount).toBe(5);
    world.last.serverEnds();
    ws.send('x');
    expect(ws.bufferedAmount).toBe(1);
  });
});

describe('a listener that throws harms no other', () => {
  test('of the DOM', async () => {
    const seen: string[] = [];
    const errors = await uncaughtWhile(async () => {
      const ws = world.link();
      ws.send('queued');
      ws.addEventListener('open', () => {
        throw new Error('boom');
      });
      ws.onopen = () => {
        throw new Error('bang');
      };
      ws.addEventListener('open', () => seen.push('open'));
      await world.pass(200);
    });
    expect(errors.map((error) => (error as Error).message)).toEqual(['boom', 'bang']);
    expect(seen).toEqual(['open']);
    expect(world.last.received).toEqual(['queued']);
  });

  test('of the SDK: reported, not swallowed', async () => {
    const ws = world.link();
    const seen: string[] = [];
    ws.on('up', () => {
      throw new Error('boom');
    });
    ws.on('up', () => seen.push('up'));
    await world.pass(200);
    expect([seen, world.errors]).toEqual([['up'], [new Error('boom')]]);
  });
});

describe('SDK events', () => {
  test('on, once and off, and they can be chained', async () => {
    const ws = world.link();
    const seen: string[] = [];
    const off = () => seen.push('off');
    const both = () => seen.push('both');
    expect(ws.on('up', () => seen.push('on')).once('up', () => seen.push('once'))).toBe(ws);
    ws.on('up', off).off('up', off);
    ws.on('up', both).once('down', both);
    ws.once('up', off).off('up', off);
    ws.off('up', () => {});
    await world.pass(100);
    world.last.serverEnds();
    await world.pass(200);
    expect(seen).toEqual(['on', 'once', 'both', 'both', 'on', 'both']);
  });

  test('are typed', () => {
    const ws = world.link();
    ws.on('failover', (report) => expectTypeOf(report.downMs).toEqualTypeOf<number>());
    ws.on('status', (status) => expectTypeOf(status).toEqualTypeOf<Status>());
    // @ts-expect-error there is no such event
    ws.on('reconnect', () => {});
    ws.close();
  });
});

describe('status', () => {
  test('is the same object until something in it changes', async () => {
    world.behaviour = sequence(refuses(), accepts());
    const ws = world.link({ policy: 'fast', heartbeat });
    const told: Status[] = [];
    ws.on('status', (status) => told.push(status));
    const first = ws.status;
    expect(first).toEqual({ name: 'connecting', first: true, attempt: 1, since: 1_000_000 });
    await world.pass(79);
    expect(ws.status).toBe(first);
    await world.pass(200);
    const online = ws.status;
    expect(online).toEqual({ name: 'online', since: 1_000_160, node: undefined });
    await world.pass(10_000);
    expect(ws.status).toBe(online);
    expect(told).toEqual([{ name: 'connecting', first: true, attempt: 2, since: 1_000_000 }, online]);
    expect(told[1]).toBe(online);
  });

  for (const event of ['up', 'down'] as const) {
    test(`is right inside listeners of '${event}'`, async () => {
      const ws = world.link();
      const seen: string[] = [];
      ws.on(event, () => seen.push(ws.status.name));
      await world.pass(100);
      world.last.serverEnds();
      await world.pass(1);
      expect(seen).toEqual([event === 'up' ? 'online' : 'waiting']);
    });
  }
});

test('stats count from the beginning', async () => {
  world.behaviour = sequence(accepts(), refuses(), accepts());
  const ws = world.link({ policy: 'fast', heartbeat });
  expect(ws.stats()).toEqual({
    dials: 1,
    dialFailures: 0,
    opens: 0,
    failovers: 0,
    suspicions: 0,
    hedgesCancelled: 0,
    framesSent: 0,
    framesReceived: 0,
    pingsSent: 0,
    rttMs: undefined,
    rttVarMs: undefined,
    queuedMessages: 0,
    queuedBytes: 0,
  });
  ws.subscriptions.set('a', 'sub a');
  ws.send('öö');
  expect(ws.stats()).toMatchObject({ queuedMessages: 1, queuedBytes: 4 });
  await world.pass(110);
  world.last.serverSends('x', 0);
  world.last.serverEnds();
  await world.pass(300);
  // Sent: entry and frame, entry again. Received: x, and the pong of the second connection.
  expect(ws.stats()).toEqual({
    dials: 3,
    dialFailures: 1,
    opens: 2,
    failovers: 1,
    suspicions: 0,
    hedgesCancelled: 0,
    framesSent: 3,
    framesReceived: 2,
    pingsSent: 2,
    rttMs: 40,
    rttVarMs: 20,
    queuedMessages: 0,
    queuedBytes: 0,
  });
});

describe('the queue', () => {
  test('full: send throws, tells, and what waited is kept', async () => {
    const ws = world.link({ queue: { maxMessages: 2 } });
    ws.send('a');
    ws.send('b');
    expect(() => ws.send('c')).toThrow(expect.objectContaining({ name: 'FailoverError', kind: 'overflow' }));
    await world.pass(200);
    ws.send('d');
    await world.pass(50);
    expect([world.last.received, world.log[0]]).toEqual([['a', 'b', 'd'], '0 overflow 1 1']);
  });

  test('drop-oldest: the oldest make room, and are told', async () => {
    const ws = world.link({ queue: { maxBytes: 4, overflow: 'drop-oldest' } });
    for (const frame of ['a', 'b', 'öö']) ws.send(frame);
    await world.pass(200);
    expect([world.last.received, world.log[0]]).toEqual([['öö'], '0 overflow 2 2']);
  });

  test('holds while suspect too, and is bounded there', async () => {
    world.behaviour = sequence(accepts(), hangs());
    const ws = world.link({ policy: 'fast', heartbeat, queue: { maxMessages: 1 } });
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(400);
    ws.send('held');
    expect(() => ws.send('too much')).toThrow('does not fit into the queue, which holds 1 of 1 messages');
  });

  test('a frame that waits is what it was when it was sent', async () => {
    const ws = world.link();
    const frame = new Uint8Array([1, 2, 3]);
    ws.send(frame);
    ws.subscriptions.set('a', frame);
    frame.fill(9);
    await world.pass(200);
    expect(world.last.received).toEqual([new Uint8Array([1, 2, 3]), new Uint8Array([1, 2, 3])]);
  });

  test('an open listener may send any number: they go straight out, before what waited', async () => {
    const ws = world.link({ queue: { maxMessages: 1 } });
    ws.send('waited');
    ws.onopen = () => {
      for (let i = 0; i < 5; i++) ws.send(`greeting ${i}`);
    };
    await world.pass(200);
    expect(world.last.received).toEqual([0, 1, 2, 3, 4].map((i) => `greeting ${i}`).concat('waited'));
  });
});

describe("events: 'per-connection'", () => {
  test('close and error for every lost connection too', async () => {
    world.link({ events: 'per-connection' });
    await world.pass(100);
    world.last.serverEnds(1006);
    await world.pass(100);
    expect(world.log.slice(5, 8)).toEqual(['100 error', '100 close 1006', '100 down lost']);
    expect(world.log).toContain('185 open');
  });

  test('a clean end is no error', async () => {
    const ws = world.link({ events: 'per-connection' });
    const ends: unknown[] = [];
    ws.onclose = ({ code, reason, wasClean }) => ends.push([code, reason, wasClean, ws.readyState]);
    await world.pass(100);
    world.last.serverEnds(1012, 'deploy');
    expect(ends).toEqual([[1012, 'deploy', true, 0]]);
    expect(world.log.slice(5, 7)).toEqual(['100 close 1012', '100 down drain']);
    await world.pass(100);
    ws.close();
    await world.pass(100);
    expect(ends.at(-1)).toEqual([1000, '', true, 3]);
  });

  test('a failed dial is no lost connection', async () => {
    world.behaviour = refuses();
    world.link({ events: 'per-connection' });
    await world.pass(500);
    expect(world.log.filter((line) => /close|error/.test(line))).toEqual([]);
  });
});

test('an entry that sends and sets while it is asked: each key once, in order, then the rest', async () => {
  const ws = world.link();
  await world.pass(100);
  ws.subscriptions.set('a', () => {
    if (world.sockets.length > 1) {
      ws.subscriptions.set('b', 'B2');
      ws.send('mid');
    }
    return 'A';
  });
  ws.subscriptions.set('b', 'B1');
  world.last.serverEnds();
  await world.pass(500);
  expect(world.last.received).toEqual(['A', 'B2', 'mid']);
});

test('an entry or a heartbeat that makes no frame is a warning, and nothing is sent for it', async () => {
  const warnings: string[] = [];
  const ws = world.link({ heartbeat: { message: (() => Promise.resolve('ping')) as never } });
  ws.on('warning', ({ kind, message }) => warnings.push(`${kind}: ${message}`));
  ws.subscriptions.set('late', (async () => 'late') as never);
  ws.subscriptions.set('object', (() => ({ a: 1 })) as never);
  ws.subscriptions.set('fine', 'fine');
  await world.pass(100);
  expect(world.last.received).toEqual(['fine']);
  expect(warnings.slice(0, 3)).toEqual([
    expect.stringMatching(/^callback: `subscriptions` of the app threw TypeError: .* got \[object Promise\]/),
    expect.stringMatching(/^callback: `subscriptions` of the app threw TypeError: .* got \[object Object\]/),
    expect.stringMatching(
      /^callback: `heartbeat\.message` of the app threw TypeError: .* got \[object Promise\]/,
    ),
  ]);
});
