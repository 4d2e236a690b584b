/** Shared by the tests of `server`: a real server with `ws` and `sockjs`, and raw connections to it. */
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import sockjs from 'sockjs';
import { WebSocketServer } from 'ws';
import type { Client } from '../../src/server/index.ts';
import { until } from './cluster-tools.ts';

export interface TestServer {
  server: Server;
  webSockets: WebSocketServer;
  sockJs: sockjs.Server;
  /** `http://127.0.0.1:PORT` */
  url: string;
  port: number;
  stop(): void;
}

/** Starts an http server with `ws` and `sockjs`, as apps install them. */
export async function startServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end('ok'),
  /** Called before the server listens. */
  install: (server: Omit<TestServer, 'url' | 'port' | 'stop'>) => void = () => {},
): Promise<TestServer> {
  const server = createServer(answer);
  const webSockets = new WebSocketServer({ server, path: '/ws' });
  const sockJs = sockjs.createServer({ prefix: '/sockjs', log: () => {} });
  install({ server, webSockets, sockJs });
  sockJs.installHandlers(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const stop = (): void => {
    for (const client of webSockets.clients) client.terminate();
    server.close();
    server.closeAllConnections();
  };
  return { server, webSockets, sockJs, url: `http://127.0.0.1:${port}`, port, stop };
}

/** A client in memory that records what is sent to it. */
export function createMemoryClient(send?: () => void): Client & { heard: unknown[]; closed: unknown[][] } {
  const heard: unknown[] = [];
  const closed: unknown[][] = [];
  return {
    heard,
    closed,
    send(text: string) {
      send?.();
      heard.push(JSON.parse(text));
    },
    close(...args: unknown[]) {
      closed.push(args);
    },
  };
}

export interface RawConnection {
  socket: Socket;
  received: string;
  closed: boolean;
}

/** Opens a TCP connection that sends only the given text. */
export async function connectRaw(port: number, text = ''): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1' });
  const state: RawConnection = { socket, received: '', closed: false };
  socket.on('data', (data) => (state.received += String(data)));
  socket.on('error', () => {});
  socket.on('close', () => (state.closed = true));
  await until('the connection stands', () => !socket.connecting);
  if (text) socket.write(text);
  return state;
}

export const upgradeRequest = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

export interface XhrSession {
  heard: string;
  ended: boolean;
  end(): void;
}

/** Opens an XHR streaming session of SockJS and collects what it receives. */
export function openXhrStreaming(url: string, session: string): XhrSession {
  const opening = request(`${url}/sockjs/000/${session}/xhr_streaming`, { method: 'POST' }, (response) =>
    response
      .on('data', (data) => (state.heard += String(data)))
      .on('error', () => {})
      .on('close', () => (state.ended = true)),
  );
  const state: XhrSession = { heard: '', ended: false, end: () => opening.destroy() };
  opening.on('error', () => {});
  opening.end();
  return state;
}

/** The parts of `Meteor.server` (3.4) that are used, over a real SockJS server. */
export function createMeteorServer(sockJs: sockjs.Server) {
  type MeteorSocket = sockjs.Connection & { send(text: string): void };
  let open: MeteorSocket[] = [];
  const hooks: ((handle: { id: string }) => void)[] = [];
  const sessions = new Map<string, { socket: MeteorSocket }>();
  sockJs.on('connection', (connection: sockjs.Connection) => {
    const socket = Object.assign(connection, { send: (text: string) => void connection.write(text) });
    open.push(socket);
    socket.on('close', () => (open = open.filter((other) => other !== socket)));
    socket.on('data', (text) => {
      if ((JSON.parse(text) as { msg: string }).msg !== 'connect') return;
      socket.send(JSON.stringify({ msg: 'connected', session: socket.id }));
      sessions.set(socket.id, { socket });
      for (const hook of hooks) hook({ id: socket.id });
    });
  });
  return {
    stream_server: { all_sockets: () => open },
    sessions,
    onConnection(hook: (handle: { id: string }) => void) {
      hooks.push(hook);
      return { stop: () => void hooks.splice(hooks.indexOf(hook), 1) };
    },
  };
}
