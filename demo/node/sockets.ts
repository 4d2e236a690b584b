/** The sockets of a node: DDP over WebSocket and SockJS, and a plain echo endpoint for tests. */
import { Server, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import sockjs from 'sockjs';
import { WebSocketServer, type WebSocket } from 'ws';
import { nodeIdentity } from '../../src/server/index.ts';
import { requestPath } from '../http/files.ts';
import { DdpSession, type DdpContext, type Peer } from './ddp.ts';

export class Sockets {
  readonly #context: DdpContext;
  /** All connected clients, over any transport. */
  readonly peers = new Set<Peer>();
  readonly #webSockets: WebSocketServer;
  /** SockJS installs itself on a server. This one never listens; it only carries the handlers. */
  readonly #sockjs = new Server();

  constructor(context: Omit<DdpContext, 'greet'>) {
    const identity = nodeIdentity({ id: context.nodeId, clients: this.peers });
    this.#context = { ...context, greet: (peer) => identity.tell(peer) };
    this.#webSockets = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024 });
    this.#webSockets.on('headers', (headers) => headers.push(`x-node: ${context.nodeId}`));

    const server = sockjs.createServer({
      // Meteor's settings.
      prefix: '/sockjs',
      heartbeat_delay: 45_000,
      disconnect_delay: 60_000,
      log: (severity, message) => severity === 'error' && console.error(message),
    });
    server.on('connection', (connection) => {
      // The types want a string, but the library passes the code on as it is.
      const close = connection.close.bind(connection) as (code?: number | string, reason?: string) => boolean;
      const session = this.#serveDdp({
        send: (text) => void connection.write(text),
        close: (code, reason) => void close(code, reason),
      });
      connection.on('data', (text) => session.receive(text));
      connection.on('close', session.end);
    });
    server.installHandlers(this.#sockjs);
  }

  /** Answers a request for one of SockJS's own paths. */
  request(request: IncomingMessage, response: ServerResponse): void {
    this.#sockjs.emit('request', request, response);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = requestPath(request) ?? '';
    const [, first] = path.split('/');
    socket.on('error', () => {});
    if (first === 'sockjs') return void this.#sockjs.emit('upgrade', request, socket, head);
    if (first !== 'websocket' && first !== 'ws') return refuse(socket, '404 Not Found');
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) =>
      this.#accept(webSocket, first === 'websocket'),
    );
  }

  #accept(webSocket: WebSocket, ddp: boolean): void {
    const peer: Peer = {
      send: (text) => webSocket.send(text),
      close: (code, reason) => webSocket.close(code, reason),
      terminate: () => webSocket.terminate(),
    };
    webSocket.on('error', () => {});
    if (ddp) {
      const session = this.#serveDdp(peer);
      webSocket.on('message', (data) => session.receive(String(data)));
      webSocket.on('close', session.end);
    } else {
      this.peers.add(peer);
      this.#context.greet(peer);
      webSocket.on('message', (data, binary) => {
        if (!binary && String(data) === 'ping') peer.send('pong');
        else webSocket.send(data, { binary });
      });
      webSocket.on('close', () => this.peers.delete(peer));
    }
  }

  #serveDdp(peer: Peer): { receive(text: string): void; end(): void } {
    this.peers.add(peer);
    const session = new DdpSession(peer, this.#context);
    return {
      receive: (text) => session.receive(text),
      end: () => {
        this.peers.delete(peer);
        session.closed();
      },
    };
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
