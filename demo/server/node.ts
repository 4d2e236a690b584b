/** An app node: the todo app's files, its sockets, `/up`, and the two ways to stop, at once as Meteor does or drained. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { drain, type Drain } from '../../src/server/index.ts';
import { listen } from '../net/ports.ts';
import { Accounts } from './accounts.ts';
import { serveParent } from './child.ts';
import { Sockets } from './sockets.ts';
import { requestPath, sendText, serveFile } from './static.ts';
import type { Store } from './store-api.ts';
import { connectRedisStore } from './store-redis.ts';
import { connectStore } from './store-socket.ts';

export interface NodeOptions {
  id: string;
  /** 0: any. */
  port: number;
  /** The project's directory. */
  root: string;
  /** Of the control room; pages report to it. */
  controlUrl: string;
  /** Signs login tokens; the same on all nodes. */
  accountsKey: string;
  /** Where the shared state is. */
  store: { port: number } | { redisUrl: string };
  /** When it is drained: how long clients may stay, and over how long they should spread their moves, in ms. */
  drain: { afterMs: number; spreadMs: number };
}

/** How long answers under way may take to leave when the node stops. */
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
  // As servers of WebSockets alone do: whoever asks over HTTP whether an app is here is told so.
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

/** Stops as a process without a plan does: no close frame, only what has been written already still leaves. */
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
        : await connectStore(options.store.port, () => {
            console.error('the store is gone');
            process.exit(1);
          });
    const sockets = new Sockets({ store, nodeId: options.id, accounts: new Accounts(options.accountsKey) });
    // By hand only: on SIGTERM it stops as a process without a plan.
    const leaving = drain(server, { ...options.drain, clients: sockets.peers, signals: [] });
    node = { options, store, sockets, leaving };
    return listen(server, options.port);
  },
  drain: () => void node.leaving.start(),
  clear: () => node.store.clear(),
});
