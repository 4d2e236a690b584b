import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket as WS, WebSocketServer, type ServerOptions, type WebSocket as Peer } from 'ws';
import type { FailoverEvents, Status } from '../../src/core/api/events.ts';
import { FailoverError } from '../../src/core/api/errors.ts';
import { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import type { FailoverOptions, ProtocolSource, UrlSource } from '../../src/core/api/options.ts';
import type { AttemptReport, FailoverReport } from '../../src/core/api/report.ts';

// The real code against real servers on loopback, in real time. Everything waits for events, nothing for time.
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A queue of what happened, for tests that wait for the next. */
class Inbox<T> {
  readonly #items: T[] = [];
  readonly #takers: ((item: T) => void)[] = [];
  readonly put = (item: T): void => {
    const taker = this.#takers.shift();
    if (taker) taker(item);
    else this.#items.push(item);
  };
  next(): Promise<T> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift()!);
    return new Promise((resolve) => this.#takers.push(resolve));
  }
}

/** A node: a `ws` server that answers `ping`, says where one is, and keeps what it got. */
async function node(options: ServerOptions & { name?: string } = {}) {
  const { name, ...rest } = options;
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...rest });
  const peers = new Inbox<Peer>();
  const frames = new Inbox<string | Buffer>();
  server.on('connection', (peer) => {
    if (name) peer.send(`node ${name}`);
    peer.on('message', (data, binary) => {
      const frame = binary ? (data as Buffer) : String(data);
      if (frame === 'ping') peer.send('pong');
      else frames.put(frame);
    });
    peers.put(peer);
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = () =>
    new Promise<void>((resolve) => {
      for (const peer of server.clients) peer.terminate();
      server.close(() => resolve());
    });
  cleanups.push(stop);
  return { server, peers, frames, port, stop, url: `ws://127.0.0.1:${port}/ws` };
}

async function listening<S extends Server | HttpServer>(
  server: S,
  port = 0,
): Promise<S & { url: string; port: number }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const at = (server.address() as AddressInfo).port;
  return Object.assign(server, { url: `ws://127.0.0.1:${at}/ws`, port: at });
}

const heartbeat = { message: 'ping', isReply: (data: unknown) => data === 'pong' };

function link(url: UrlSource, options: FailoverOptions = {}, protocols?: ProtocolSource) {
  const ws = new FailoverWebSocket(url, protocols, {
    policy: 'fast',
    ...options,
    env: { WebSocket: WS, ...options.env },
  });
  const open = new Inbox<Event>();
  const messages = new Inbox<unknown>();
  const closed = new Inbox<{ code: number; reason: string; wasClean: boolean }>();
  const failovers = new Inbox<FailoverReport>();
  const downs = new Inbox<FailoverEvents['down'][0]>();
  const attempts = new Inbox<AttemptReport>();
  ws.addEventListener('open', open.put);
  ws.addEventListener('message', ({ data }) => messages.put(data));
  ws.addEventListener('close', ({ code, reason, wasClean }) => closed.put({ code, reason, wasClean }));
  ws.on('failover', failovers.put);
  ws.on('down', downs.put);
  ws.on('attempt', attempts.put);
  cleanups.push(async () => {
    if (ws.readyState === ws.CLOSED) return;
    const end = new Promise((resolve) => ws.addEventListener('close', resolve, { once: true }));
    ws.close();
    await end;
  });
  return { ws, open, messages, closed, failovers, downs, attempts };
}

describe('one node', () => {
  test('talks both ways, text and binary', async () => {
    const { url, frames, peers } = await node();
    const { ws, messages } = link(url);
    ws.send('text');
    ws.send(new Uint8Array([1, 2, 3]));
    expect(await frames.next()).toBe('text');
    expect(await frames.next()).toEqual(Buffer.from([1, 2, 3]));
    const peer = await peers.next();
    peer.send('text');
    expect(await messages.next()).toBe('text');
    ws.binaryType = 'arraybuffer';
    peer.send(Buffer.from([4, 5]));
    expect(new Uint8Array((await messages.next()) as ArrayBuffer)).toEqual(new Uint8Array([4, 5]));
    ws.binaryType = 'blob';
    peer.send(Buffer.from([6]));
    expect(new Uint8Array(await ((await messages.next()) as Blob).arrayBuffer())).toEqual(
      new Uint8Array([6]),
    );
  });

  test('agrees on a subprotocol', async () => {
    const { url } = await node({ handleProtocols: (offered) => [...offered].at(-1)! });
    const { ws, open } = link(url, {}, ['v1', 'v2']);
    await open.next();
    expect(ws.protocol).toBe('v2');
  });

  test.each([
    [1000, '', 'closed'],
    [1001, 'going away', 'drain'],
    [1011, 'broken', 'lost'],
    [1012, 'restart', 'drain'],
    [1013, 'later', 'overloaded'],
    [4321, 'the app’s own', 'closed'],
  ])(
    'closed by the server with %i: the code reaches `down`, and the link goes on',
    async (code, reason, kind) => {
      const { url, peers } = await node();
      const { ws, open, downs, failovers, closed } = link(url, { events: 'per-connection' });
      await open.next();
      (await peers.next()).close(code, reason);
      expect(await downs.next()).toEqual({ kind, code, reason, wasClean: true });
      expect(await closed.next()).toEqual({ code, reason, wasClean: true });
      await open.next();
      expect(await failovers.next()).toMatchObject({ cause: kind, attempts: [{ outcome: 'open' }] });
      expect(ws.readyState).toBe(ws.OPEN);
    },
  );

  test('torn down without a word: lost, 1006, and unconfirmed sends are counted', async () => {
    const { url, peers, frames } = await node();
    const { ws, open, downs, failovers } = link(url);
    ws.subscriptions.set('a', 'sub a');
    await open.next();
    expect(await frames.next()).toBe('sub a');
    ws.send('x');
    expect(await frames.next()).toBe('x');
    (await peers.next()).terminate();
    expect(await downs.next()).toEqual({ kind: 'lost', code: 1006, reason: '', wasClean: false });
    ws.send('queued');
    expect(await failovers.next()).toMatchObject({ replayed: 1, queuedFlushed: 1, unconfirmedSends: 2 });
    expect([await frames.next(), await frames.next()]).toEqual(['sub a', 'queued']);
  });

  test('closed by the app: the server sees code and reason, the app a clean end', async () => {
    const { url, peers } = await node();
    const { ws, open, closed } = link(url, { heartbeat });
    await open.next();
    const gone = once(await peers.next(), 'close') as Promise<[number, Buffer]>;
    ws.close(4000, 'bye');
    expect(await closed.next()).toEqual({ code: 4000, reason: 'bye', wasClean: true });
    const [code, reason] = await gone;
    expect([code, String(reason)]).toEqual([4000, 'bye']);
    expect(ws.readyState).toBe(ws.CLOSED);
  });

  test('closed before it was open: the app is told, no server hears of it', async () => {
    const silent = await listening(createTcpServer());
    const { ws, closed } = link(silent.url);
    await once(silent, 'connection');
    ws.close();
    expect(await closed.next()).toEqual({ code: 1006, reason: '', wasClean: false });
  });

  test('three links at once do not meddle with each other', async () => {
    const { url, peers, server } = await node();
    const links = [link(url, { heartbeat }), link(url, { heartbeat }), link(url, { heartbeat })];
    await Promise.all(links.map(({ open }) => open.next()));
    expect(server.clients.size).toBe(3);
    const all = [await peers.next(), await peers.next(), await peers.next()];
    all[1]!.terminate();
    const reported = await Promise.race(links.map(async (one, i) => (await one.failovers.next(), i)));
    expect(links.map(({ ws }) => ws.stats().failovers)).toEqual(
      [0, 1, 2].map((i) => (i === reported ? 1 : 0)),
    );
    for (const peer of server.clients) peer.send('all');
    expect(await Promise.all(links.map(({ messages }) => messages.next()))).toEqual(['all', 'all', 'all']);
  });
});

describe('a node that does not serve', () => {
  test('refuses: dialled until it is back', async () => {
    const first = await node();
    const { port } = first;
    const { ws, open, attempts, failovers } = link(first.url);
    await open.next();
    expect((await attempts.next()).outcome).toBe('open');
    await first.stop();
    expect((await attempts.next()).outcome).toBe('refused');
    await node({ port });
    await open.next();
    const { attempts: told } = await failovers.next();
    expect(told.at(-1)!.outcome).toBe('open');
    expect(new Set(told.slice(0, -1).map(({ outcome }) => outcome))).toEqual(new Set(['refused']));
    expect(ws.status.name).toBe('online');
  });

  test('answers 502: refused, and the probe says so', async () => {
    const gateway = await listening(
      createHttpServer((_request, response) => response.writeHead(502).end('bad gateway')),
    );
    gateway.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'),
    );
    const good = await node();
    // The gateway is the only address until it was asked over HTTP.
    let asked = false;
    const { failovers, open, ws } = link(() => (asked ? good.url : gateway.url), {
      probe: { crossOrigin: true },
      env: {
        WebSocket: WS,
        fetch: async (input, init) => {
          const answer = await fetch(input, init);
          asked = true;
          return answer;
        },
      },
    });
    // A first connection has no report: be online once, through the good one, then lose it.
    await open.next();
    expect(ws.stats().dialFailures).toBeGreaterThanOrEqual(2);
    asked = false;
    for (const peer of good.server.clients) peer.terminate();
    const report = await failovers.next();
    expect(report.attempts.map(({ outcome }) => outcome)).toEqual(
      expect.arrayContaining(['refused', 'refused', 'open']),
    );
    expect(report.probes[0]).toMatchObject({ verdict: 'gateway', status: 502 });
    expect(report.probes[0]!.url).toBe(gateway.url.replace('ws:', 'http:'));
  });

  test('accepts TCP and says nothing: given up at the deadline', async () => {
    const silent = await listening(createTcpServer());
    const good = await node();
    const { open, attempts, ws } = link([silent.url, good.url], { policy: { deadlineFloorMs: 50 } });
    await open.next();
    expect(await attempts.next()).toMatchObject({ outcome: 'timeout', url: silent.url });
    expect(await attempts.next()).toMatchObject({ outcome: 'open', url: good.url });
    expect(ws.url).toBe(good.url);
  });

  test('answers something that is no WebSocket', async () => {
    const odd = await listening(createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n')));
    const { attempts } = link(odd.url, { policy: { maxAttempts: 2 } });
    expect((await attempts.next()).outcome).toBe('refused');
  });

  test('refuses the subprotocol', async () => {
    const { url } = await node({ handleProtocols: () => false });
    const { attempts, ws } = link(url, { policy: { maxAttempts: 2 } }, ['v9']);
    const gaveUp = new Promise<Status>((resolve) => {
      ws.on('status', (status) => status.name === 'failed' && resolve(status));
    });
    expect((await attempts.next()).outcome).toBe('refused');
    expect(await gaveUp).toMatchObject({ error: { kind: 'exhausted' } });
  });
});

describe('two nodes', () => {
  /** Until the round trip is known, an answer is given the whole cap. */
  const measured = ({ ws }: ReturnType<typeof link>) =>
    vi.waitFor(() => expect(ws.stats().rttMs).toBeDefined(), { interval: 5, timeout: 5_000 });

  const identify = (data: unknown) => /^node (.+)/.exec(String(data))?.[1];

  test('one is stopped: the other serves, and everything is replayed in order', async () => {
    const one = await node({ name: 'one' });
    const two = await node({ name: 'two' });
    const { ws, open, messages, failovers } = link([one.url, two.url], { identify, heartbeat });
    ws.subscriptions.set('a', 'sub a').set('b', () => 'sub b');
    await open.next();
    expect(await messages.next()).toBe('node one');
    ws.addEventListener('open', () => ws.send('greeting'));
    ws.on('down', () => ws.send('waited'));
    await one.stop();
    expect(await failovers.next()).toMatchObject({
      fromNode: 'one',
      toNode: 'two',
      replayed: 2,
      queuedFlushed: 1,
    });
    const got = [];
    for (let i = 0; i < 4; i++) got.push(await two.frames.next());
    expect(got).toEqual(['sub a', 'sub b', 'greeting', 'waited']);
    expect(await messages.next()).toBe('node two');
  });

  test('one hangs: noticed by the heartbeat, handed over without a gap, late frames unheard', async () => {
    const one = await node({ name: 'one' });
    const two = await node({ name: 'two' });
    const client = link([one.url, two.url], {
      identify,
      heartbeat,
      policy: { preset: 'fast', quietMs: 50, replyFloorMs: 50 },
    });
    const { ws, messages, failovers } = client;
    const hung = await one.peers.next();
    expect(await messages.next()).toBe('node one');
    await measured(client);
    let fell = false;
    ws.on('down', () => (fell = true));
    // Accepts and buffers everything, answers nothing: a process that is stopped.
    hung.pause();
    ws.on('suspect', () => ws.send('held'));
    const report = await failovers.next();
    expect(report).toMatchObject({ cause: 'silent', fromNode: 'one', toNode: 'two', queuedFlushed: 1 });
    expect(report.detectedAfterMs).toBeGreaterThanOrEqual(50);
    hung.send('too late');
    hung.resume();
    expect(await messages.next()).toBe('node two');
    expect(await two.frames.next()).toBe('held');
    (await two.peers.next()).send('last');
    expect(await messages.next()).toBe('last');
    expect(ws.stats()).toMatchObject({ failovers: 1, suspicions: 1 });
    expect(fell).toBe(false);
  });

  test('one hiccups: the hedge is cancelled, nothing is lost, nothing is said', async () => {
    const one = await node();
    const hole = await listening(createTcpServer());
    const client = link([one.url, hole.url], {
      heartbeat,
      policy: { preset: 'fast', quietMs: 50, replyFloorMs: 50 },
    });
    const { ws } = client;
    const peer = await one.peers.next();
    await measured(client);
    peer.pause();
    await once(hole, 'connection');
    expect(ws.status.name).toBe('suspect');
    ws.send('held 1');
    ws.send('held 2');
    const back = new Promise<void>((resolve) => {
      ws.on('status', ({ name }) => name === 'online' && resolve());
    });
    peer.resume();
    await back;
    expect([await one.frames.next(), await one.frames.next()]).toEqual(['held 1', 'held 2']);
    expect(ws.stats()).toMatchObject({ opens: 1, failovers: 0, suspicions: 1, hedgesCancelled: 1 });
  });

  test('one drains by notice: the other is up before the first one is left', async () => {
    const one = await node({ name: 'one' });
    const two = await node({ name: 'two' });
    const { ws, messages, failovers } = link([one.url, two.url], {
      identify,
      heartbeat,
      serverNotices: true,
    });
    expect(await messages.next()).toBe('node one');
    const leaving = await one.peers.next();
    const left = once(leaving, 'close') as Promise<[number]>;
    leaving.send('{"msg":"drain","afterMs":5000}');
    expect(await messages.next()).toContain('drain');
    expect(await failovers.next()).toMatchObject({ cause: 'drain', fromNode: 'one', toNode: 'two' });
    expect((await left)[0]).toBe(1000);
    expect(ws.stats()).toMatchObject({ suspicions: 0, opens: 2 });
  });

  test('a login comes first, and its refusal asks the provider for another token', async () => {
    const { server, url } = await node();
    server.on('connection', (peer, request) => {
      peer.once('message', () => peer.send(request.url!.includes('old') ? 'refused' : 'welcome'));
    });
    let token = 'old';
    const causes: unknown[] = [];
    const { open, attempts } = link(
      ({ cause }) => {
        causes.push(cause);
        if (cause === 'unauthorized') token = 'new';
        return `${url}?token=${token}`;
      },
      {
        policy: { baseMs: 10 },
        handshake: async (send, receive) => {
          send('login');
          if ((await receive()) !== 'welcome') {
            throw new FailoverError('unauthorized', 'login refused');
          }
        },
      },
    );
    await open.next();
    expect(causes).toEqual([undefined, 'unauthorized']);
    const { outcome, url: told } = await attempts.next();
    expect([outcome, told]).toEqual(['unauthorized', url]);
  });
});
