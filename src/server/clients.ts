/** Finds the connected clients of any server. Only the shape of a server is checked, so no server package has to be installed. */
import { rule } from '../shared/validate.ts';

/** A client that can be sent a text and closed: a `ws` socket, a SockJS connection, or an object of your own. */
export type Client = (
  | {
      /** Sends a text frame. */
      send(text: string): unknown;
    }
  | {
      /** Sends a text frame, under the name SockJS gives it. */
      write(text: string): unknown;
    }
) & {
  /** Called with a close code and a reason. */
  close(...args: never[]): unknown;
  /** Ends the connection without a closing handshake, where the server offers that. */
  terminate?(): unknown;
};

/** An event listener as Node's own types have it: its arguments depend on the event. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Listener = (...args: any[]) => void;

/**
 * `ws`'s `WebSocketServer`. With `noServer`, a client is greeted only if you emit `connection` yourself, as the `ws` docs advise;
 * its `clients` are known either way.
 */
export interface WebSocketServerLike {
  readonly clients: Iterable<Client>;
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

/** A server of the `sockjs` package. It announces its connections only by events: pass it before the first client connects. */
export interface SockJsServerLike {
  installHandlers(...args: never[]): unknown;
  on(event: string, listener: Listener): unknown;
  removeListener(event: string, listener: Listener): unknown;
}

/**
 * `Meteor.server` of Meteor 3, with any of its transports. Meteor does not document `stream_server` and `sessions`; the parts
 * used here are the same in the sources of Meteor 1.9 to 3.4.
 */
export interface MeteorServerLike {
  readonly stream_server: { all_sockets(): Iterable<Client> };
  readonly sessions: { get(id: string): Readonly<Record<'socket', Client | null>> | undefined };
  /** Calls the listener after DDP's `connect` was answered with `connected`. */
  onConnection(listener: (handle: { readonly id: string }) => void): unknown;
}

/** Where clients come from. For any other server, pass a live collection such as a `Set`, or a function that returns the clients. */
export type ClientSource =
  WebSocketServerLike | SockJsServerLike | MeteorServerLike | ReadonlySet<Client> | (() => Iterable<Client>);

/** One source, or an array of several. */
export type Clients = ClientSource | readonly ClientSource[];

/** The clients of one or more sources. */
export interface Crowd {
  /** The clients connected now, as a copy. */
  list(): Set<Client>;
  /** Removes the listeners from the sources. */
  unwatch(): void;
}

interface Watched {
  list(): Iterable<Client>;
  unwatch(): void;
}

type OnJoin = (client: Client) => void;

const isArray: (value: unknown) => value is readonly unknown[] = Array.isArray;
const hasAll = (value: unknown, ...names: string[]): boolean =>
  typeof value === 'object' && value !== null && names.every((name) => name in value);

const isMeteorServer = (value: unknown): value is MeteorServerLike => hasAll(value, 'stream_server');
const isWebSocketServer = (value: unknown): value is WebSocketServerLike => hasAll(value, 'clients', 'on');
const isSockJsServer = (value: unknown): value is SockJsServerLike => hasAll(value, 'installHandlers');
const isClientSource = (value: unknown): boolean =>
  typeof value === 'function' ||
  isMeteorServer(value) ||
  isWebSocketServer(value) ||
  isSockJsServer(value) ||
  (typeof value === 'object' && value !== null && Symbol.iterator in value);

/** Holds for `Clients`. */
export const isClients = rule(
  'a ws or sockjs server, Meteor.server, a Set or function of clients, or an array of these',
  (value) => (isArray(value) ? value.every(isClientSource) : isClientSource(value)),
);

/**
 * Watches the clients of all sources.
 *
 * @param clients checked with `isClients`
 * @param onJoin called for each new client as soon as the server may speak to it; a set or a function cannot announce one
 */
export function watchClients(clients: Clients, onJoin: OnJoin = () => {}): Crowd {
  const sources = (isArray(clients) ? clients : [clients]).map((source) => watchSource(source, onJoin));
  return {
    list: () => new Set(sources.flatMap((source) => [...source.list()])),
    unwatch: () => sources.forEach((source) => source.unwatch()),
  };
}

function watchSource(source: ClientSource, onJoin: OnJoin): Watched {
  const unwatch = (): void => {};
  if (typeof source === 'function') return { list: source, unwatch };
  if (isMeteorServer(source)) return watchMeteorServer(source, onJoin);
  if (isWebSocketServer(source)) {
    source.on('connection', onJoin);
    return { list: () => source.clients, unwatch: () => source.off('connection', onJoin) };
  }
  if (isSockJsServer(source)) return watchSockJsServer(source, onJoin);
  return { list: () => source, unwatch };
}

function watchMeteorServer(server: MeteorServerLike, onJoin: OnJoin): Watched {
  const handle = server.onConnection(({ id }) => {
    const client = server.sessions.get(id)?.['socket'];
    if (client) onJoin(client);
  }) as { stop?(): void } | undefined;
  return { list: () => server.stream_server.all_sockets(), unwatch: () => handle?.stop?.() };
}

function watchSockJsServer(server: SockJsServerLike, onJoin: OnJoin): Watched {
  const clients = new Set<Client>();
  // sockjs passes null now and then: https://github.com/sockjs/sockjs-node/issues/121
  const add = (client: (Client & { on(event: 'close', listener: () => void): unknown }) | null): void => {
    if (!client) return;
    clients.add(client);
    client.on('close', () => clients.delete(client));
    onJoin(client);
  };
  server.on('connection', add);
  return { list: () => clients, unwatch: () => server.removeListener('connection', add) };
}
