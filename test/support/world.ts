import { vi } from 'vitest';
import { FailoverWebSocket } from '../../src/core/failover-websocket.ts';
import type { Env, PageEvent } from '../../src/core/env.ts';
import type { FailoverOptions, Frame, ProtocolSource, UrlSource } from '../../src/core/options.ts';

/** One-way latency of the fake network, ms. */
export const ONE_WAY = 20;
const RTT = 2 * ONE_WAY;

/** What a server does with one dial. Named and composed, so that a test reads as the story of an outage. */
export type Behaviour = (socket: FakeSocket) => void;

/** The gateway answers, the app does not: 502, refused, reset all look like this to script. */
export const refuses =
  (afterMs = 2 * RTT): Behaviour =>
  (socket) =>
    void setTimeout(() => socket.serverEnds(1006, ''), afterMs);

/** Nothing ever comes back. */
export const hangs = (): Behaviour => () => {};

export interface Served {
  /** Sent right after the upgrade. */
  greeting?: string;
  /** Answer to each frame; undefined says nothing. */
  reply?: (frame: unknown) => string | undefined;
  openAfterMs?: number;
}

export const pong = (frame: unknown): string | undefined => (frame === 'ping' ? 'pong' : undefined);

/** A node that serves: opens, greets, and answers what `reply` says. */
export const accepts =
  ({ greeting, reply = pong, openAfterMs = 2 * RTT }: Served = {}): Behaviour =>
  (socket) => {
    socket.reply = reply;
    setTimeout(() => {
      socket.serverOpens();
      if (greeting !== undefined) socket.serverSends(greeting, 0);
    }, openAfterMs);
  };

/** The first dial meets the first behaviour, and so on; the last one stays. */
export const sequence = (...behaviours: Behaviour[]): Behaviour => {
  let next = 0;
  return (socket) => behaviours[Math.min(next++, behaviours.length - 1)]!(socket);
};

/** The native WebSocket of the fake world. */
export class FakeSocket extends EventTarget {
  static readonly CLOSING = 2;
  readyState = 0;
  binaryType: BinaryType = 'blob';
  bufferedAmount = 0;
  extensions = '';
  readonly protocol: string;
  readonly received: unknown[] = [];
  reply: (frame: unknown) => string | undefined = () => undefined;
  /** Packets vanish in both directions; nobody is told. */
  vanished = false;
  /** Extra one-way delay of what the server says, ms. */
  stallMs = 0;

  constructor(
    readonly world: World,
    readonly url: string,
    readonly protocols?: string | string[],
  ) {
    super();
    this.protocol = typeof protocols === 'string' ? protocols : (protocols?.[0] ?? '');
    world.sockets.push(this);
    world.log.push(`dial ${world.sockets.length}`);
    world.behaviour(this);
  }

  send(frame: unknown): void {
    if (this.readyState !== 1) throw new Error(`send in readyState ${this.readyState}`);
    setTimeout(() => {
      if (this.vanished) return;
      this.received.push(frame);
      const answer = this.reply(frame);
      if (answer !== undefined) this.serverSends(answer);
    }, ONE_WAY);
  }

  close(code = 1005, reason = ''): void {
    if (this.readyState >= 2) return;
    this.readyState = 2;
    this.closedWith = { code, reason };
    if (!this.vanished) setTimeout(() => this.#end(code, reason, true), RTT);
  }
  closedWith: { code: number; reason: string } | undefined;

  serverOpens(): void {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }

  serverSends(data: unknown, afterMs = ONE_WAY): void {
    setTimeout(() => {
      if (!this.vanished && this.readyState === 1) this.dispatchEvent(new MessageEvent('message', { data }));
    }, afterMs + this.stallMs);
  }

  /** The socket ends: FIN (1006), or a close frame with a code. */
  serverEnds(code = 1006, reason = ''): void {
    if (this.vanished || this.readyState === 3) return;
    if (code === 1006) this.dispatchEvent(new Event('error'));
    this.#end(code, reason, code !== 1006);
  }

  #end(code: number, reason: string, wasClean: boolean): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason, wasClean }));
  }
}

/** A whole outside world in virtual time (vitest's fake timers): network, page, randomness, and a log of what happened. */
export class World {
  readonly sockets: FakeSocket[] = [];
  readonly log: string[] = [];
  readonly errors: unknown[] = [];
  readonly fetches: { url: string; init: RequestInit | undefined }[] = [];
  readonly #page = new Map<PageEvent, Set<() => void>>();
  behaviour: Behaviour = accepts();
  random = 0.5;
  online = true;
  visible = true;
  timers = 0;
  fetchAnswer: ((url: string, init?: RequestInit) => Promise<Response>) | undefined;
  userAgent = '';
  readonly env: Env;

  constructor() {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] });
    const world = this;
    this.env = {
      now: () => performance.now(),
      timeOrigin: 1_000_000,
      setTimeout: (fn, ms) => setTimeout(fn, ms),
      clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
      random: () => world.random,
      WebSocket: class {
        static readonly CLOSING = 2;
        constructor(url: string, protocols?: string | string[]) {
          return new FakeSocket(world, url, protocols) as never;
        }
      } as never,
      get fetch() {
        if (!world.fetchAnswer) return undefined;
        return (input: unknown, init?: RequestInit) => {
          world.fetches.push({ url: String(input), init });
          return world.fetchAnswer!(String(input), init);
        };
      },
      get userAgent() {
        return world.userAgent;
      },
      baseUrl: 'https://app.example/',
      measure: (name) => world.log.push(`measure ${name}`),
      reportError: (error) => world.errors.push(error),
      page: {
        online: () => world.online,
        visible: () => world.visible,
        on: (event, fn) => {
          if (!world.#page.has(event)) world.#page.set(event, new Set());
          world.#page.get(event)!.add(fn);
          return () => void world.#page.get(event)!.delete(fn);
        },
      },
    };
  }

  /** Listeners on page events still registered. */
  get listeners(): number {
    return [...this.#page.values()].reduce((sum, set) => sum + set.size, 0);
  }

  get last(): FakeSocket {
    return this.sockets.at(-1)!;
  }

  page(event: PageEvent): void {
    for (const fn of [...(this.#page.get(event) ?? [])]) fn();
  }

  /** Lets virtual time pass, microtasks included. */
  pass(ms: number): Promise<unknown> {
    return vi.advanceTimersByTimeAsync(ms);
  }

  /** A link in this world, with everything it tells in `log`. */
  link(
    options: FailoverOptions = {},
    url: UrlSource = 'wss://app.example/ws',
    protocols?: ProtocolSource,
  ): FailoverWebSocket {
    const ws = new FailoverWebSocket(url, protocols, { ...options, env: { ...this.env, ...options.env } });
    const start = performance.now();
    const at = () => Math.round(performance.now() - start);
    const say = (text: string) => this.log.push(`${at()} ${text}`);
    ws.on('status', (status) => say(`status ${status.name}`));
    ws.on('attempt', (attempt) => say(`attempt ${attempt.outcome}`));
    ws.on('down', (failure) => say(`down ${failure.kind}`));
    ws.on('up', ({ first }) => say(first ? 'up first' : 'up'));
    ws.on('suspect', () => say('suspect'));
    ws.on('failover', (report) => say(`failover ${report.cause}`));
    ws.on('warning', (warning) => say(`warning ${warning.kind}`));
    ws.on('giveup', (error) => say(`giveup ${error.kind}`));
    ws.addEventListener('open', () => say('open'));
    ws.addEventListener('message', (event) => say(`message ${String((event as MessageEvent).data)}`));
    ws.addEventListener('close', (event) => say(`close ${(event as CloseEvent).code}`));
    return ws;
  }

  dispose(): void {
    vi.useRealTimers();
  }
}

export const heartbeat = { message: 'ping' as Frame, isReply: (data: unknown): boolean => data === 'pong' };
