import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import sockjs, { type Connection } from 'sockjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startCluster, type Cluster, type NodeId } from '../../demo/cluster.ts';
import { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import type { FailoverReport } from '../../src/core/api/report.ts';
import { DDPClient } from '../../src/ddp/index.ts';
import { overSockjs, sockjsUrl, sockjsWebSocket } from '../../src/sockjs/index.ts';
import { until } from '../support/cluster-tools.ts';

/** Every URL that the `ws` class dialled. */
const dialled: string[] = [];
const SockJS = sockjsWebSocket(
  class extends WebSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols);
      dialled.push(url);
    }
  },
);
const env = { WebSocket: SockJS };
const PATH = /\/sockjs\/([^/.]+)\/([^/.]+)\/websocket$/;

/** Every dial had its own server and session id. */
function expectFreshPaths(atLeast: number): void {
  const ids = dialled.flatMap((url) => PATH.exec(url)!.slice(1));
  expect(dialled.length).toBeGreaterThanOrEqual(atLeast);
  expect(new Set(ids).size).toBe(2 * dialled.length);
}

beforeEach(() => void (dialled.length = 0));

describe('against a sockjs server', () => {
  let http: Server;
  let base: string;
  let connections: Connection[];

  beforeEach(async () => {
    connections = [];
    const server = sockjs.createServer({ prefix: '/sockjs', log: () => {} });
    server.on('connection', (connection) => {
      connections.push(connection);
      connection.on('data', (text) => connection.write(`echo ${text}`));
    });
    http = createServer();
    server.installHandlers(http);
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(http.address() as AddressInfo).port}/sockjs`;
  });
  afterEach(() => {
    for (const connection of connections) connection.close();
    http.closeAllConnections();
    http.close();
  });

  /** A socket on its own path, and the events it dispatched. */
  function dial(): { socket: globalThis.WebSocket; log: string[] } {
    const socket = new SockJS(
      sockjsUrl(base).replace(/\{attempt\}/g, () => Math.random().toString(36).slice(2)),
    );
    const log: string[] = [];
    socket.onopen = () => log.push('open');
    socket.onmessage = ({ data }) => log.push(String(data));
    socket.onclose = ({ code, reason, wasClean }) => log.push(`close ${code} ${reason} ${wasClean}`);
    return { socket, log };
  }

  it('text of every kind is echoed, in order', async () => {
    const { socket, log } = dial();
    await until('open', () => socket.readyState === 1);
    const texts = [
      '',
      'ü €  𝄞 \u2028\u0000"\\',
      '["x"]',
      'o',
      JSON.stringify({ msg: 'ping' }),
      'x'.repeat(100_000),
    ];
    for (const text of texts) socket.send(text);
    await until('all echoes', () => log.length === 1 + texts.length);
    expect(log).toEqual(['open', ...texts.map((text) => `echo ${text}`)]);
    socket.close();
    await until('the end', () => socket.readyState === 3);
    expect(log.at(-1)).toMatch(/^close 100[05]  true$/);
  });

  it("the server's code and reason arrive", async () => {
    const { socket, log } = dial();
    await until('open', () => socket.readyState === 1);
    // The type asks for a string; the library sends the code as it is.
    connections[0]!.close(3_456 as never, 'moved');
    await until('the end', () => socket.readyState === 3);
    expect(log).toEqual(['open', 'close 3456 moved true']);
  });

  it('a path that the server does not know is a failed dial', async () => {
    const socket = new SockJS(`${base}/a.b/c/websocket`.replace('http', 'ws'));
    const log: string[] = [];
    socket.onerror = () => log.push('error');
    socket.onclose = ({ code }) => log.push(`close ${code}`);
    await until('the end', () => socket.readyState === 3);
    expect(log).toEqual(['error', 'close 1006']);
  });

  it('a raw endpoint, which opens no session, is given up at the deadline', async () => {
    const ws = new FailoverWebSocket(`${base}/websocket`, undefined, { policy: 'fast', env });
    const outcomes: string[] = [];
    ws.on('attempt', ({ outcome }) => outcomes.push(outcome));
    await until('an outcome', () => outcomes[0]);
    expect(outcomes[0]).toBe('timeout');
    ws.close();
  });

  it('a link dials a new path after each loss and delivers what was sent meanwhile', async () => {
    const ws = new FailoverWebSocket(sockjsUrl(base), undefined, { policy: 'fast', env });
    const got: string[] = [];
    ws.onmessage = ({ data }) => got.push(String(data));
    ws.subscriptions.set('news', 'subscribe');
    await until('served', () => got.length === 1);
    for (const n of [1, 2, 3]) {
      const down = new Promise((resolve) => ws.once('down', resolve));
      connections.at(-1)!.destroy();
      await down;
      ws.send(`sent ${n}`);
      await until('served again', () => got.length === 1 + 2 * n);
    }
    expect(got).toEqual([
      'echo subscribe',
      ...[1, 2, 3].flatMap((n) => ['echo subscribe', `echo sent ${n}`]),
    ]);
    expectFreshPaths(4);
    ws.close();
    await until('closed', () => ws.readyState === 3);
  });
});

describe('DDP over SockJS against the demo cluster', () => {
  let cluster: Cluster;
  beforeAll(async () => void (cluster = await startCluster({ port: 0, rttMs: 10, quiet: true })), 30_000);
  afterAll(() => cluster.stop());

  it('connects, subscribes, and is served by the other node when its own stops', async () => {
    const Native = class extends WebSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols);
        dialled.push(url);
      }
    };
    const ddp = new DDPClient(
      `${cluster.url}/sockjs`,
      { policy: 'fast', env: { WebSocket: Native } },
      overSockjs,
    );
    try {
      const todos = ddp.collection<{ text: string }>('todos');
      await ddp.subscribe('todos').ready;
      await ddp.call('todos.add', 'before', 'before');
      const before = todos.get('before');
      const node = await ddp.call<NodeId>('whoami');
      const report = new Promise<FailoverReport>((resolve) => ddp.on('failover', resolve));
      await cluster.apply(node, 'stop');
      await ddp.call('todos.add', 'after', 'after');
      expect(await ddp.call('whoami')).toBe(node === 'a' ? 'b' : 'a');
      await until('both documents', () => todos.size === 2);
      expect(todos.get('before')).toBe(before);
      expect(await report).toMatchObject({ fromNode: node, toNode: node === 'a' ? 'b' : 'a', replayed: 1 });
      expectFreshPaths(2);
      expect(ddp.stats()).toMatchObject({ malformedFrames: 0, unknownMessages: 0 });
    } finally {
      ddp.close();
    }
  });
});
