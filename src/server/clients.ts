/** Who is connected, whatever serves them. Only shapes are asked for, so that no package has to be there. */
import { check } from './check.ts';

/** One who can be told something and let go: a `ws` socket, a SockJS connection, or an object of your own. */
export type Client = (
  | {
      /** Sends a text frame. */
      send(text: string): unknown;
    }
  | {
      /** The same, as SockJS calls it. */
      write(text: string): unknown;
    }
) & {
  /** Called with a close code and a reason. */
  close(...args: never[]): unknown;
  /** Ends it without asking, if it can. */
  terminate?(): unknown;
};

/** As Node's own types have it: what it is called with depends on the event. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Listener = (...args: any[]) => void;

/** `ws`'s `WebSocketServer`. With `noServer`, only its `clients` are known unless you emit its 'connection' as its docs advise. */
export interface WebSocketServerLike {
  readonly clients: Iterable<Client>;
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

/** A server of `sockjs`: it knows its connections by events only, so hand it over before the first one. */
export interface SockJsServerLike {
  installHandlers(...args: never[]): unknown;
  on(event: string, listener: Listener): unknown;
  removeListener(event: string, listener: Listener): unknown;
}

/**
 * `Meteor.server` (Meteor 3, all its transports). `stream_server` and `sessions` are not documented by Meteor; the parts used
 * were read in Meteor 1.9 to 3.4's source.
 */
export interface MeteorServerLike {
  readonly stream_server: { all_sockets(): Iterable<Client> };
  readonly sessions: { get(id: string): Readonly<Record<'socket', Client | null>> | undefined };
  /** Calls back when DDP's `connect` was answered with `connected`. */
  onConnection(listener: (handle: { readonly id: string }) => void): unknown;
}

/** A live collection such as a `Set`, or a function that is asked anew each time, works for every other server. */
export type ClientSource =
  WebSocketServerLike | SockJsServerLike | MeteorServerLike | ReadonlySet<Client> | (() => Iterable<Client>);

/** One source, or an array of several. */
export type Clients = ClientSource | readonly ClientSource[];

export interface Crowd {
  /** Those connected now; a copy. */
  now(): Set<Client>;
  /** Takes the listeners off the sources. */
  forget(): void;
}

const isArray: (value: unknown) => value is readonly unknown[] = Array.isArray;
const has = <K extends string>(value: object, ...names: K[]): value is Record<K, unknown> & object =>
  names.every((name) => name in value);

/**
 * Gathers the clients of all sources.
 *
 * @param joined hears of each new one that may be spoken to, where the source tells; a set or a function does not
 * @throws RangeError when `clients` is none of the kinds known
 */
export function gather(clients: Clients, joined?: (client: Client) => void): Crowd {
  const sources = (isArray(clients) ? clients : [clients]).map((source) => gatherFrom(source, joined));
  return {
    now: () => new Set(sources.flatMap((source) => [...source.now()])),
    forget: () => sources.forEach((source) => source.forget()),
  };
}

function gatherFrom(
  source: ClientSource,
  joined: (client: Client) => void = () => {},
): { now(): Iterable<Client>; forget(): void } {
  const forget = (): void => {};
  if (typeof source === 'function') return { now: source, forget };
  check('clients', source, typeof source === 'object' && source !== null, kinds);
  if (has(source, 'stream_server')) {
    const handle = source.onConnection(({ id }) => {
      const client = source.sessions.get(id)?.['socket'];
      if (client) joined(client);
    }) as { stop?(): void } | undefined;
    return { now: () => source.stream_server.all_sockets(), forget: () => handle?.stop?.() };
  }
  if (has(source, 'clients', 'on')) {
    source.on('connection', joined);
    return { now: () => source.clients, forget: () => source.off('connection', joined) };
  }
  if (has(source, 'installHandlers')) {
    const members = new Set<Client>();
    // Null now and then: https://github.com/sockjs/sockjs-node/issues/121
    const arrived = (
      client: (Client & { on(event: 'close', listener: () => void): unknown }) | null,
    ): void => {
      if (!client) return;
      members.add(client);
      client.on('close', () => members.delete(client));
      joined(client);
    };
    source.on('connection', arrived);
    return { now: () => members, forget: () => source.removeListener('connection', arrived) };
  }
  check('clients', source, Symbol.iterator in source && typeof source !== 'string', kinds);
  return { now: () => source, forget };
}

const kinds = 'a ws or sockjs server, Meteor.server, a Set or function of clients, or an array of these';

/** One turn of the event loop is given away after so long, so that ten thousand clients do not hold up everything else. */
const SLICE_MS = 5;

/** Does something to each, some at a time. One that fails has just gone, and harms no other. */
export async function each(clients: Iterable<Client>, act: (client: Client) => void): Promise<void> {
  let since = performance.now();
  for (const client of clients) {
    try {
      act(client);
    } catch {
      // A client that cannot be told or closed will be destroyed with its connection.
    }
    if (performance.now() - since < SLICE_MS) continue;
    await new Promise<void>((resume) => setImmediate(resume));
    since = performance.now();
  }
}

export const tell = (client: Client, notice: object): void => {
  const text = JSON.stringify(notice);
  if ('send' in client) client.send(text);
  else client.write(text);
};

/**
 * Closes with 1012, service restart (RFC 6455's registry), where that is possible. SockJS's raw WebSockets, and so Meteor's
 * `/websocket`, refuse to send any code of the protocol's own but 1000: faye-websocket checks it as a browser would.
 */
export function dismiss(client: Client & { readonly protocol?: unknown }): void {
  const code = client.protocol === 'websocket-raw' ? [] : [1012, 'service restart'];
  // The servers agree on code and reason, but not on how they are typed.
  client.close(...(code as never[]));
}

/** The same, but not twice to the same client. */
export function once<T extends unknown[]>(
  act: (client: Client, ...rest: T) => void,
): (client: Client, ...rest: T) => void {
  const done = new WeakSet<Client>();
  return (client, ...rest) => {
    if (done.has(client)) return;
    done.add(client);
    act(client, ...rest);
  };
}
