import { Server, WebSocket as MockWebSocket } from 'mock-socket';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import type { FailoverOptions } from '../../src/core/api/options.ts';

// Another WebSocket class than the fake world's, in real time: the facade makes no assumption about either. mock-socket
// reports a failed dial as a clean 1000, so nothing here is about failures.
const URL = 'ws://mock.example/ws';
let server: Server;
let ws: FailoverWebSocket | undefined;
beforeEach(() => (server = new Server(URL)));
afterEach(() => {
  ws?.close();
  server.stop();
});

const link = (options: FailoverOptions = {}, protocols?: string[]) =>
  (ws = new FailoverWebSocket(URL, protocols, {
    probe: false,
    ...options,
    env: { WebSocket: MockWebSocket },
  }));
const event = <T extends Event>(target: EventTarget, type: string) =>
  new Promise<T>((resolve) => target.addEventListener(type, (e) => resolve(e as T), { once: true }));

test('opens, talks both ways and closes', async () => {
  const received: unknown[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (data) => {
      received.push(data);
      socket.send(`echo ${String(data)}`);
    });
  });
  const client = link();
  client.subscriptions.set('a', 'sub a');
  client.send('waited');
  client.onopen = () => client.send('greeting');
  const messages: unknown[] = [];
  const all = new Promise<void>((resolve) => {
    client.onmessage = ({ data }) => {
      if (messages.push(data) === 3) resolve();
    };
  });
  await all;
  expect(received).toEqual(['sub a', 'greeting', 'waited']);
  expect(messages).toEqual(['echo sub a', 'echo greeting', 'echo waited']);
  const closed = event<CloseEvent>(client, 'close');
  client.close(4000, 'bye');
  expect(client.readyState).toBe(2);
  expect(await closed).toMatchObject({ code: 4000, reason: 'bye' });
  expect(client.readyState).toBe(3);
});

test('a connection that the server ends is replaced, and replayed', async () => {
  const sockets: { close: (options: object) => void }[] = [];
  const received: unknown[][] = [];
  let arrived!: () => void;
  const all = new Promise<void>((resolve) => (arrived = resolve));
  server.on('connection', (socket) => {
    const mine: unknown[] = [];
    received.push(mine);
    sockets.push(socket as never);
    socket.on('message', (data) => {
      mine.push(data);
      if (data === 'waited') arrived();
    });
  });
  const client = link();
  client.subscriptions.set('a', 'sub a');
  await event(client, 'open');
  const downs: unknown[] = [];
  client.on('down', ({ kind, code }) => {
    downs.push([kind, code]);
    client.send('waited');
  });
  const again = event(client, 'open');
  const report = new Promise((resolve) => client.on('failover', resolve));
  sockets[0]!.close({ code: 1012, reason: 'deploy', wasClean: true });
  await again;
  expect(await report).toMatchObject({ cause: 'drain', replayed: 1, queuedFlushed: 1 });
  await all;
  expect([downs, received]).toEqual([[['drain', 1012]], [['sub a'], ['sub a', 'waited']]]);
});

test('takes the protocol that the server chose', async () => {
  server.stop();
  server = new Server(URL, { selectProtocol: (offered: string[]) => offered[1]! });
  const client = link({}, ['v1', 'v2']);
  await event(client, 'open');
  expect(client.protocol).toBe('v2');
});

test('binary arrives as it was asked for', async () => {
  server.on('connection', (socket) => {
    socket.on('message', () => socket.send(new Uint8Array([1, 2]).buffer));
  });
  const client = link();
  await event(client, 'open');
  client.binaryType = 'arraybuffer';
  const message = event<MessageEvent<ArrayBuffer>>(client, 'message');
  client.send('x');
  expect(new Uint8Array((await message).data)).toEqual(new Uint8Array([1, 2]));
});
