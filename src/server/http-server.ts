import { rule } from '../shared/validate.ts';
import type { Listener } from './clients.ts';

/** The part of an `http.Server` or `https.Server` that is used; Meteor's `WebApp.httpServer` is one. */
export interface HttpServer {
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
  removeAllListeners(event: string): unknown;
  close(done: () => void): unknown;
  closeIdleConnections(): void;
  closeAllConnections(): void;
}

/** Holds for `HttpServer`. */
export const isHttpServer = rule(
  'an http or https server of Node',
  (value) =>
    typeof value === 'object' && typeof (value as HttpServer | null)?.closeIdleConnections === 'function',
);

/** The part of a connection that is used. */
interface Stream {
  readonly bytesRead: number;
  on(event: string, listener: () => void): unknown;
  once(event: string, listener: () => void): unknown;
  end(text: string): unknown;
  destroy(): unknown;
}

/** The open connections of a server, with those that became WebSockets: the server itself no longer knows these. */
export interface ConnectionTracker {
  readonly streams: ReadonlySet<Stream>;
  untrack(): void;
}

export function trackConnections(server: HttpServer): ConnectionTracker {
  const streams = new Set<Stream>();
  const add = (stream: Stream): void => {
    streams.add(stream);
    stream.on('close', () => streams.delete(stream));
  };
  server.on('connection', add);
  return { streams, untrack: () => void server.off('connection', add) };
}

/** The balancer has another node. A `Retry-After` of one second keeps it from asking this one in a loop. */
const REFUSAL =
  'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n';

/** Answers every upgrade with 503 from now on. */
export function refuseUpgrades(server: HttpServer): void {
  // SockJS and ws listen for upgrades themselves and would accept them.
  server.removeAllListeners('upgrade');
  server.on('upgrade', (_request: unknown, stream: Stream) => {
    stream.on('error', () => {});
    stream.once('finish', () => stream.destroy());
    stream.end(REFUSAL);
  });
}

/** How often connections that have become idle are closed, ms. */
const CLOSE_IDLE_MS = 50;

/** A server that accepts no more connections. */
export interface ClosingServer {
  /** Resolves when all connections have ended. WebSockets do not count. */
  readonly closed: Promise<void>;
  /** Destroys all connections that are left, WebSockets too. */
  cutOff(): void;
}

/** Closes the server: requests under way go on, idle connections are closed. */
export function startClosing(server: HttpServer, { streams }: ConnectionTracker): ClosingServer {
  const closed = new Promise<void>((resolve) => server.close(resolve));
  const closeIdle = (): void => {
    server.closeIdleConnections();
    // A browser or balancer opens connections ahead of need. Node counts one as idle only after its first request.
    for (const stream of streams) if (stream.bytesRead === 0) stream.destroy();
  };
  closeIdle();
  const timer = setInterval(closeIdle, CLOSE_IDLE_MS);
  void closed.then(() => clearInterval(timer));
  return {
    closed,
    cutOff() {
      clearInterval(timer);
      for (const stream of streams) stream.destroy();
      server.closeAllConnections();
    },
  };
}
