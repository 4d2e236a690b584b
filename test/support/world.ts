import { vi } from 'vitest';
import type { Env, PageEvent } from '../../src/core/env/env.ts';
import { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import type { FailoverOptions, ProtocolSource, UrlSource } from '../../src/core/api/options.ts';
import type { Frame } from '../../src/core/api/frame.ts';
import type { FailoverReport } from '../../src/core/api/report.ts';

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
  /** Sent right after the upgrade: arrives in the same instant. */
  greeting?: unknown;
  /** Answer to each frame; undefined says nothing. */
  reply?: (frame: unknown) => unknown;
  openAfterMs?: number;
  /** Ends the connection so long after it opened. */
  endsAfterMs?: number;
  code?: number;
}

export const pong = (frame: unknown): string | undefined => (frame === 'ping' ? 'pong' : undefined);
const mute = (): undefined => undefined;

/** A node that serves: opens, greets, and answers what `reply` says. */
export const accepts =
  ({ greeting, reply = pong, openAfterMs = 2 * RTT, endsAfterMs, code = 1006 }: Served = {}): Behaviour =>
  (socket) => {
    socket.reply = reply;
    setTimeout(() => {
      socket.serverOpens();
      if (greeting !== undefined) socket.serverSends(greeting, 0);
      if (endsAfterMs !== undefined) setTimeout(() => socket.serverEnds(code, ''), endsAfterMs);
    }, openAfterMs);
  };

/** A node that completes the upgrade and then says nothing. */
export const opensMute = (served: Served = {}): Behaviour => accepts({ ...served, reply: mute });

/** The first dial meets the first behaviour, and so on; the last one stays. */
export const sequence = (...behaviours: Behaviour[]): Behaviour => {
  let next = 0;
  return (socket) => behaviours[Math.min(next++, behaviours.length - 1)]!(socket);
};

/** Another behaviour per host name, for links that know several addresses. */
export const byHost =
  (hosts: Readonly<Record<string, Behaviour>>): Behaviour =>
  (socket) =>
    hosts[new URL(socket.url).hostname]!(socket);

/** The native WebSocket of the fake world, as strict as a browser's. */
export class FakeSocket extends EventTarget {
  static readonly CLOSING = 2;
  readyState = 0;
  binaryType: BinaryType = 'blob';
  bufferedAmount = 0;
  extensions = '';
  readonly protocol: string;
  /** What the server got, in order. */
  readonly received: unknown[] = [];
  reply: (frame: unknown) => unknown = mute;
  /** Packets vanish in both directions; nobody is told. */
  vanished = false;
  /** Extra one-way delay of what the server says, ms. */
  stallMs = 0;
  /** Frames still arrive after our `close()`, as with `ws` in Node; a browser delivers none. */
  hearsWhileClosing = false;
  closedWith: { code: number; reason: string } | undefined;

  constructor(
    readonly world: World,
    readonly url: string,
    readonly protocols?: string | string[],
  ) {
    super();
    this.protocol = typeof protocols === 'string' ? protocols : (protocols?.[0] ?? '');
    world.sockets.push(this);
    world.say(`dial ${world.sockets.length}`);
    world.behaviour(this);
  }

  send(frame: unknown): void {
    if (this.readyState === 0) throw new DOMException('still in CONNECTING state', 'InvalidStateError');
    if (this.readyState !== 1) return; // discarded silently, as browsers do
    setTimeout(() => {
      if (this.vanished) return;
      this.received.push(frame);
      const answer = this.reply(frame);
      if (answer !== undefined) this.serverSends(answer);
    }, ONE_WAY);
  }

  close(code = 1005, reason = ''): void {
    if (this.readyState >= 2) return;
    const connecting = this.readyState === 0;
    this.readyState = 2;
    this.closedWith = { code, reason };
    if (connecting) setTimeout(() => this.#end(1006, '', false), 0);
    else if (!this.vanished) setTimeout(() => this.#end(code, reason, true), RTT);
  }

  serverOpens(): void {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }

  serverSends(data: unknown, afterMs = ONE_WAY): void {
    const arrive = () => {
      const open = this.readyState === 1 || (this.hearsWhileClosing && this.readyState === 2);
      if (this.vanished || !open) return;
      const binary = data instanceof ArrayBuffer && this.binaryType === 'blob' ? new Blob([data]) : data;
      this.dispatchEvent(new MessageEvent('message', { data: binary }));
    };
    const ms = afterMs + this.stallMs;
    if (ms > 0) setTimeout(arrive, ms);
    else arrive();
  }

  /** The socket ends: FIN (1006), or a close frame with a code. */
  serverEnds(code = 1006, reason = ''): void {
    if (!this.vanished) this.#end(code, reason, code !== 1006);
  }

  #end(code: number, reason: string, wasClean: boolean): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    if (!wasClean) this.dispatchEvent(new Event('error'));
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason, wasClean }));
  }
}

/** The Web Locks of an origin: exclusive ones, first come, first served; `signal` ends a wait. */
export class FakeLocks {
  /** By name; the first has the lock, the others wait for it. */
  readonly queues = new Map<string, (() => void)[]>();

  async request<T>(name: string, ...args: [...options: LockOptions[], callback: LockGrantedCallback<T>]) {
    const callback = args.pop() as LockGrantedCallback<T>;
    const { signal } = (args[0] ?? {}) as LockOptions;
    signal?.throwIfAborted();
    const queue = this.queues.get(name) ?? [];
    this.queues.set(name, queue);
    await new Promise<void>((granted, aborted) => {
      if (queue.push(granted) === 1) granted();
      signal?.addEventListener('abort', () => {
        const at = queue.indexOf(granted);
        if (at < 1) return;
        queue.splice(at, 1);
        aborted(signal.reason as Error);
      });
    });
    try {
      // Given up between being granted and being told.
      signal?.throwIfAborted();
      return await callback({ name, mode: 'exclusive' });
    } finally {
      queue.shift();
      queue[0]?.();
    }
  }
}

/** A whole outside world in virtual time (vitest's fake timers): network, page, randomness, and a log of what happened. */
export class World {
  readonly sockets: FakeSocket[] = [];
  /** `'<ms since the world began> <what>'`: dials, DOM events and SDK events in the order they happened. */
  readonly log: string[] = [];
  readonly errors: unknown[] = [];
  readonly fetches: { at: number; url: string; init: RequestInit | undefined }[] = [];
  readonly reports: FailoverReport[] = [];
  readonly measures: { name: string; start: number; end: number; detail: unknown }[] = [];
  /** What links of one world share, as the tabs of an origin do; undefined: the browser has none. */
  locks: FakeLocks | undefined = new FakeLocks();
  readonly stored = new Map<string, string>();
  storage: Env['storage'] = {
    getItem: (key) => this.stored.get(key) ?? null,
    setItem: (key, value) => void this.stored.set(key, value),
  };
  readonly #page = new Map<PageEvent, Set<() => void>>();
  #sleptMs = 0;
  behaviour: Behaviour = accepts();
  random = 0.5;
  online = true;
  visible = true;
  userAgent = '';
  fetchAnswer: ((url: string, init?: RequestInit) => Promise<Response>) | undefined;
  readonly env: Env;

  constructor() {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
    });
    const open = (url: string, protocols?: string | string[]) => new FakeSocket(this, url, protocols);
    this.env = {
      now: () => this.now,
      timeOrigin: 1_000_000,
      setTimeout: (fn, ms) => setTimeout(fn, ms),
      clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
      random: () => this.random,
      // Called with `new`: what it returns is the socket.
      WebSocket: function (this: unknown, ...args: [url: string, protocols?: string | string[]]) {
        return open(...args);
      } as never,
      fetch: (input, init) => {
        this.fetches.push({ at: this.now, url: String(input), init });
        return this.fetchAnswer?.(String(input), init) ?? Promise.reject(new TypeError('fetch failed'));
      },
      locks: this.locks,
      subtle: undefined,
      storage: this.storage,
      userAgent: '',
      baseUrl: 'https://app.example/',
      measure: (name, start, end, detail) => this.measures.push({ name, start, end, detail }),
      reportError: (error) => this.errors.push(error),
      page: {
        online: () => this.online,
        visible: () => this.visible,
        on: (event, fn) => {
          if (!this.#page.has(event)) this.#page.set(event, new Set());
          this.#page.get(event)!.add(fn);
          return () => void this.#page.get(event)!.delete(fn);
        },
      },
    };
  }

  get now(): number {
    return performance.now() + this.#sleptMs;
  }

  say(text: string): void {
    this.log.push(`${Math.round(this.now)} ${text}`);
  }

  /** When dials went out, ms since the world began. */
  dialsAt(): number[] {
    return this.log.filter((line) => line.includes(' dial ')).map((line) => Number.parseInt(line));
  }

  /** The first letters of the hosts that were dialled, in order. */
  hosts(): string {
    return this.sockets.map(({ url }) => new URL(url).hostname[0]).join('');
  }

  get last(): FakeSocket {
    return this.sockets.at(-1)!;
  }

  /** What a link that has ended must not leave behind. */
  get left(): { timers: number; listeners: number; sockets: number } {
    return {
      timers: vi.getTimerCount(),
      listeners: [...this.#page.values()].reduce((sum, set) => sum + set.size, 0),
      sockets: this.sockets.filter(({ readyState }) => readyState < 2).length,
    };
  }

  page(event: PageEvent): void {
    for (const fn of [...(this.#page.get(event) ?? [])]) fn();
  }

  /** Lets virtual time pass, microtasks included. */
  pass(ms: number): Promise<unknown> {
    return vi.advanceTimersByTimeAsync(ms);
  }

  /** The page is blocked, or the device asleep, for so long: the clock goes on, no timer fires and no frame is heard. */
  sleep(ms: number): void {
    this.#sleptMs += ms;
  }

  /** Log since the last look at it. */
  story(): string[] {
    return this.log.splice(0);
  }

  /** A link in this world, with everything it tells in `log`. */
  link(
    options: FailoverOptions = {},
    url: UrlSource = 'wss://app.example/ws',
    protocols?: ProtocolSource,
  ): FailoverWebSocket {
    const { userAgent, locks, storage } = this;
    const env = { ...this.env, userAgent, locks, storage, ...options.env };
    const ws = new FailoverWebSocket(url, protocols, { ...options, env });
    const say = (text: string) => this.say(text);
    ws.on('status', (status) => say(`status ${status.name}`));
    ws.on('attempt', (attempt) => say(`attempt ${attempt.outcome}`));
    ws.on('down', (failure) => say(`down ${failure.kind}`));
    ws.on('up', ({ first }) => say(first ? 'up first' : 'up'));
    ws.on('suspect', ({ silentMs }) => say(`suspect after ${silentMs}`));
    ws.on('drain', ({ spreadMs }) => say(`drain spread ${spreadMs}`));
    ws.on('failover', (report) => {
      this.reports.push(report);
      say(`failover ${report.cause}`);
    });
    ws.on('warning', (warning) => say(`warning ${warning.kind}`));
    ws.on('overflow', ({ messages, bytes }) => say(`overflow ${messages} ${bytes}`));
    ws.on('giveup', (error) => say(`giveup ${error.kind}`));
    ws.addEventListener('open', () => say('open'));
    ws.addEventListener('message', (event) => say(`message ${String(event.data)}`));
    ws.addEventListener('error', () => say('error'));
    ws.addEventListener('close', (event) => say(`close ${event.code}`));
    return ws;
  }

  dispose(): void {
    vi.useRealTimers();
  }
}

/** A node that says its name in its first frame, for `identify`. */
export const named = (name: string, served: Served = {}): Behaviour =>
  accepts({ greeting: `node ${name}`, ...served });
export const identify = (data: unknown): string | undefined => /^node (\w+)$/.exec(String(data))?.[1];

export const heartbeat = { message: 'ping' as Frame, isReply: (data: unknown): boolean => data === 'pong' };
