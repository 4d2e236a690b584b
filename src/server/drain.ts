import { constants } from 'node:os';
import { check, checkBoolean, checkFunction, checkNames, checkNumber } from './check.ts';
import { dismiss, each, gather, once, tell, type Clients, type Listener } from './clients.ts';
import { acceptRate, spreadFor } from './spread.ts';

/** What is used of an `http.Server` or `https.Server`; Meteor's `WebApp.httpServer` is one. */
export interface HttpServer {
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
  removeAllListeners(event: string): unknown;
  close(done: () => void): unknown;
  closeIdleConnections(): void;
  closeAllConnections(): void;
}

export interface DrainOptions {
  /** Whom to tell. */
  readonly clients: Clients;
  /**
   * How long clients may stay, in ms, 0 to 600 000; those left then are closed with 1012
   * (SockJS's raw WebSockets, so Meteor's `/websocket`, with 1000: no other code can be sent there). What supervises the process must
   * wait longer than `afterMs + 3 · graceMs` before it kills: with the defaults 9.5 s, inside Docker's 10 s.
   * @default 8_000
   */
  readonly afterMs?: number;
  /**
   * Over how long clients should spread their moves, in ms, 0 to `afterMs`.
   * @default clients / acceptPerSecond, at most half of `afterMs`, so that the last one still has time to move
   */
  readonly spreadMs?: number;
  /** How many clients per second the other nodes together take in, 1 to 1 000 000; see `nodeIdentity`. @default 200 */
  readonly acceptPerSecond?: number;
  /** Where clients should go, a ws or wss URL; they follow it only to origins they allow. @default nowhere in particular */
  readonly url?: string;
  /**
   * HTTP is answered for at least so long, in ms, 0 to 600 000, though all clients may have gone: until the balancer has seen
   * `/up` fail and sends no more requests. @default 0
   */
  readonly lingerMs?: number;
  /**
   * How long the last things may take, in ms, 0 to 60 000: the closing handshakes of clients that were closed, then the end of
   * their connections, then `onDrained`. @default 500
   */
  readonly graceMs?: number;
  /** Signals that start it; a second one changes nothing. `[]`: only `start()` does. @default ['SIGTERM'] */
  readonly signals?: readonly string[];
  /** End the process when drained: with code 0, or 1 if `onDrained` failed. @default true */
  readonly exit?: boolean;
  /** Called once when draining begins: take no more jobs from the queue. Must not throw. */
  readonly onDrain?: () => void;
  /** Called once when the server is closed, and awaited for up to `graceMs`: close the database. */
  readonly onDrained?: () => unknown;
}

export interface Drain {
  /** Whether it has begun. The health check answers 503 from then on. */
  readonly draining: boolean;
  /**
   * Begins now, or joins what has begun. Resolves when the server is closed and `onDrained` is done; rejects with the error of
   * `onDrained`.
   */
  start(): Promise<void>;
  /** Takes signal handlers and listeners off again. Nothing that has begun is stopped by it. */
  uninstall(): void;
}

const NAMES: readonly (keyof DrainOptions)[] = [
  'clients',
  'afterMs',
  'spreadMs',
  'acceptPerSecond',
  'url',
  'lingerMs',
  'graceMs',
  'signals',
  'exit',
  'onDrain',
  'onDrained',
];

/** Between two looks at who is still there. */
const LOOK_MS = 50;

/**
 * Lets this node go without its clients noticing. On SIGTERM it refuses new WebSockets with 503, tells every client
 * `{"msg":"drain","afterMs":…,"spreadMs":…}`, goes on serving until they have moved or `afterMs` is over, closes those left with
 * 1012, closes the server and ends the process. Nothing in it waits for ever: `afterMs + 3 · graceMs` is the longest it takes
 * (or `lingerMs` in place of `afterMs`, if that is longer).
 *
 * Install it when the server is set up, before it listens: only connections made later can be cut off if they do not end.
 *
 * @example
 * const leaving = drain(httpServer, { clients: webSocketServer });
 * app.get('/up', (request, response) => response.sendStatus(leaving.draining ? 503 : 200));
 * @throws RangeError naming the option and the value
 */
export function drain(server: HttpServer, options: DrainOptions): Drain {
  const settings = resolve(server, options);
  const { afterMs, rate, lingerMs, graceMs, signals, exit } = settings;
  const { url, onDrain, onDrained } = options;
  const crowd = gather(options.clients);
  const announce = once(tell);
  const release = once(dismiss);

  /** Also those that became WebSockets, which the server itself no longer knows. */
  const streams = new Set<Stream>();
  const track = (stream: Stream): void => {
    streams.add(stream);
    stream.on('close', () => streams.delete(stream));
  };
  server.on('connection', track);

  let done: Promise<void> | undefined;
  const start = (): Promise<void> => (done ??= run());
  const onSignal = (): void => void start();
  for (const signal of signals) process.on(signal, onSignal);
  const uninstall = (): void => {
    for (const signal of signals) process.off(signal, onSignal);
    server.off('connection', track);
    crowd.forget();
  };

  async function run(): Promise<void> {
    try {
      // Nobody else may see an upgrade now: SockJS and ws listen for themselves.
      server.removeAllListeners('upgrade');
      server.on('upgrade', refuse);
      onDrain?.();
      const deadline = performance.now() + afterMs;
      await empty(deadline);
      await closeServer(deadline);
      await within(graceMs, onDrained?.());
    } catch (error) {
      process.exitCode = 1;
      throw error;
    } finally {
      // One turn later, so that an error is reported first. Until then a second signal must not end the process.
      if (exit) setImmediate(() => process.exit());
      else uninstall();
    }
  }

  /** Tells all clients, latecomers too, until none is left or their time is over; then closes them. */
  async function empty(deadline: number): Promise<void> {
    const spreadMs = settings.spreadMs ?? Math.min(spreadFor(crowd.now().size, rate), afterMs / 2);
    for (let left = afterMs; ; left = deadline - performance.now()) {
      const clients = crowd.now();
      if (afterMs - left >= lingerMs && (clients.size === 0 || left <= 0)) break;
      const afterNow = Math.round(left);
      const notice = { msg: 'drain', afterMs: afterNow, spreadMs: Math.min(spreadMs, afterNow), url };
      await each(clients, left > 0 ? (client) => announce(client, notice) : release);
      await sleep(left > 0 ? Math.min(LOOK_MS, left) : LOOK_MS);
    }
    await each(crowd.now(), release);
  }

  /** Closes the server: requests under way may take until the deadline, closing handshakes `graceMs`, the rest is cut off. */
  async function closeServer(deadline: number): Promise<void> {
    const closed = new Promise<void>((resolved) => server.close(resolved));
    const closeIdle = (): void => {
      server.closeIdleConnections();
      // Opened ahead of need by a browser or balancer: not idle in Node's eyes before its first request.
      for (const stream of streams) if (stream.bytesRead === 0) stream.destroy();
    };
    closeIdle();
    const idle = setInterval(closeIdle, LOOK_MS);
    await within(Math.max(graceMs, deadline - performance.now()), closed);
    clearInterval(idle);
    await each(crowd.now(), (client) => client.terminate?.());
    for (const stream of streams) stream.destroy();
    server.closeAllConnections();
    await within(graceMs, closed);
  }

  return {
    get draining() {
      return done !== undefined;
    },
    start,
    uninstall,
  };
}

/** What is used of a connection. */
interface Stream {
  readonly bytesRead: number;
  on(event: string, listener: () => void): unknown;
  once(event: string, listener: () => void): unknown;
  end(text: string): unknown;
  destroy(): unknown;
}

/** The balancer has another node: a second is long enough not to be asked in a loop. */
const refusal =
  'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n';

function refuse(_request: unknown, stream: Stream): void {
  stream.on('error', () => {});
  stream.once('finish', () => stream.destroy());
  stream.end(refusal);
}

const sleep = (ms: number): Promise<void> => new Promise((resolved) => setTimeout(resolved, ms));

/** Waits for the work, but not longer. */
async function within(ms: number, work: unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise((resolved) => (timer = setTimeout(resolved, ms)));
  await Promise.race([work, over]).finally(() => clearTimeout(timer));
}

function resolve(server: HttpServer, options: DrainOptions) {
  const isServer = typeof server === 'object' && typeof server?.closeIdleConnections === 'function';
  check('server', server, isServer, 'an http or https server');
  checkNames(options, NAMES);
  const { afterMs = 8_000, spreadMs, url, lingerMs = 0, graceMs = 500, exit = true } = options;
  const { signals = ['SIGTERM'], onDrain, onDrained } = options;
  checkFunction('onDrain', onDrain);
  checkFunction('onDrained', onDrained);
  check('url', url, url === undefined || /^wss?:$/.test(protocolOf(url)), 'a ws or wss URL');
  // Node throws for the two that no process can handle, but only after others have been installed.
  const known =
    Array.isArray(signals) &&
    signals.every((name) => Object.hasOwn(constants.signals, name) && !/^SIG(KILL|STOP)$/.test(name));
  return {
    afterMs: checkNumber('afterMs', afterMs, 0, 600_000),
    spreadMs: spreadMs === undefined ? undefined : checkNumber('spreadMs', spreadMs, 0, afterMs),
    rate: acceptRate(options.acceptPerSecond),
    lingerMs: checkNumber('lingerMs', lingerMs, 0, 600_000),
    graceMs: checkNumber('graceMs', graceMs, 0, 60_000),
    signals: check('signals', signals, known, 'an array of signal names that can be handled'),
    exit: checkBoolean('exit', exit),
  };
}

const protocolOf = (url: string): string => (URL.canParse(url) ? new URL(url).protocol : '');
