/** The program of an app node: the todo app's files, its sockets, `/up`, and two ways to stop: at once, as Meteor does, or drained. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { drain, type Drain } from '../../src/server/index.ts';
import { requestPath, sendText, serveFile } from '../http/files.ts';
import { listen } from '../net/ports.ts';
import { serveParent } from '../processes/serve-parent.ts';
import { connectEmbeddedStore } from '../store/embedded.ts';
import { connectRedisStore } from '../store/redis.ts';
import type { Store } from '../store/store.ts';
import { Accounts } from './accounts.ts';
import { Sockets } from './sockets.ts';

export interface NodeOptions {
  id: string;
  /** Port to listen on; 0 picks a free one. */
  port: number;
  /** Path of the project's directory. */
  root: string;
  /** Address of the control room, where pages send their reports. */
  controlUrl: string;
  /** Signs login tokens; the same on all nodes. */
  accountsKey: string;
  /** Where the shared state is. */
  store: { port: number } | { redisUrl: string };
  /** How long clients may stay when the node drains, and over how long they spread their moves, in ms. */
  drain: { afterMs: number; spreadMs: number };
}

/** How long the last answers may take to leave when the node stops, in ms. */
const flushMs = 200;

let node: { options: NodeOptions; store: Store; sockets: Sockets; leaving: Drain };
const connections = new Set<Socket>();

const server = createServer((request, response) => {
  void answer(request, response);
});
server.on('upgrade', (request, socket, head) => node.sockets.upgrade(request, socket, head));
server.on('connection', (socket) => {
  connections.add(socket);
  socket.on('close', () => connections.delete(socket));
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { options, sockets, leaving } = node;
  response.setHeader('x-node', options.id);
  const path = requestPath(request) ?? '';
  if (path === '/up') {
    return leaving.draining ? sendText(response, 503, 'draining') : sendText(response, 200, options.id);
  }
  if (path === '/config.js') return sendConfig(response, options);
  if (path === '/sockjs' || path.startsWith('/sockjs/')) return sockets.request(request, response);
  // A plain request to a WebSocket path gets 426, as from a server that speaks WebSocket only.
  if (/^\/(websocket|ws)(\/|$)/.test(path)) return sendText(response, 426, 'upgrade required');
  const library = /^\/failover-websocket\.global\.js(\.map)?$/.test(path);
  return serveFile(request, response, join(options.root, library ? 'dist' : 'demo/app'), {
    'content-security-policy':
      `default-src 'self'; connect-src 'self' ws: wss: ${options.controlUrl}; worker-src 'self' blob:; ` +
      `base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'`,
  });
}

function sendConfig(response: ServerResponse, { controlUrl, id }: NodeOptions): void {
  response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`window.demoConfig = ${JSON.stringify({ controlUrl, node: id })};\n`);
}

/** Stops as a process without shutdown code does: no close frames; only what was already written still leaves. */
function stop(): void {
  server.close();
  setTimeout(() => process.exit(0), flushMs);
  for (const connection of connections) {
    connection.on('close', () => connections.size === 0 && process.exit(0));
    connection.destroySoon();
  }
  if (connections.size === 0) process.exit(0);
}

process.on('SIGTERM', stop);

serveParent({
  start: async (options: NodeOptions) => {
    const store =
      'redisUrl' in options.store
        ? await connectRedisStore(options.store.redisUrl)
        : await connectEmbeddedStore(options.store.port, () => {
            console.error(
              'The connection to the store has ended. This node cannot serve without it and exits.',
            );
            process.exit(1);
          });
    const sockets = new Sockets({ store, nodeId: options.id, accounts: new Accounts(options.accountsKey) });
    // Drains only when the parent asks for it. On SIGTERM the node stops as a process without shutdown code does.
    const leaving = drain(server, { ...options.drain, clients: sockets.peers, signals: [] });
    node = { options, store, sockets, leaving };
    return listen(server, options.port);
  },
  drain: () => void node.leaving.start(),
  clear: () => node.store.clear(),
});
