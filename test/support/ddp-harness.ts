import { afterEach, beforeEach, expect, vi } from 'vitest';
import type { FailoverEvents, Stats, Status } from '../../src/core/api/events.ts';
import type { FailoverOptions } from '../../src/core/api/options.ts';
import { DDPClient, type DDPOptions, type DdpLink } from '../../src/ddp/index.ts';

/** Runs each test of the file in virtual time. A test must leave no timer. */
export function virtualTime(): void {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    expect(vi.getTimerCount(), 'timers left').toBe(0);
    vi.useRealTimers();
  });
}

type Fn = (...args: never[]) => void;

/** A connection that still works after another has taken over. */
export interface Old {
  says(...messages: object[]): void;
  /** Resolves when the client no longer needs it. */
  readonly done: Promise<unknown>;
  /** It is gone. */
  ends(): void;
}

/**
 * The link under a client, driven by hand. It keeps FailoverWebSocket's order of events. It throws if DDP sends while the frame
 * would wait in the link's queue, where the replay cannot see it.
 */
export class FakeLink extends EventTarget implements DdpLink {
  status: Status = { name: 'connecting', first: true, attempt: 1, since: 0 };
  readonly options: FailoverOptions;
  /** Frames of the current connection that the test has not read yet. */
  frames: Record<string, unknown>[] = [];
  readonly log: string[] = [];
  /** Errors that the client's listeners threw: an event target swallows them. */
  readonly thrown: unknown[] = [];
  #usable = false;
  readonly #listeners = new Map<string, Set<Fn>>();

  constructor(options: FailoverOptions) {
    super();
    this.options = options;
  }

  override addEventListener(type: string, fn: (event: Event) => void): void {
    super.addEventListener(type, (event) => {
      try {
        fn(event);
      } catch (error) {
        this.thrown.push(error);
        throw error;
      }
    });
  }

  readonly on: DdpLink['on'] = (event, fn) => {
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event)!.add(fn as unknown as Fn);
  };

  readonly once: DdpLink['once'] = (event, fn) => {
    const wrapped: typeof fn = (...args) => {
      this.off(event, wrapped);
      fn(...args);
    };
    this.on(event, wrapped);
  };

  readonly off: DdpLink['off'] = (event, fn) => void this.#listeners.get(event)?.delete(fn as unknown as Fn);

  emit<E extends keyof FailoverEvents>(event: E, ...args: FailoverEvents[E]): void {
    for (const fn of [...(this.#listeners.get(event) ?? [])]) fn(...(args as unknown[] as never[]));
  }

  send(frame: string): void {
    if (!this.#usable) throw new Error(`sent without a usable connection: ${frame}`);
    this.frames.push(JSON.parse(frame) as Record<string, unknown>);
  }

  close(): void {
    this.log.push('close');
    this.end();
  }

  reconnect(): void {
    this.log.push('reconnect');
  }

  stats(): Stats {
    return { dials: 1, opens: 1 } as Stats;
  }

  /** A new connection: handshake, then it becomes current. */
  async open(): Promise<void> {
    const shaken: string[] = [];
    await this.options.handshake?.(
      (frame) => shaken.push(frame as string),
      () => Promise.reject(new Error('no frame')),
    );
    this.#usable = true;
    this.frames = shaken.map((frame) => JSON.parse(frame) as Record<string, unknown>);
    this.dispatchEvent(new Event('open'));
    this.emit('attempt', { url: '', startedAt: 0, waitedMs: 0, durationMs: 0, outcome: 'open' });
    this.setStatus({ name: 'online', since: 0, node: undefined, standby: undefined });
  }

  /** `open`, and the server's `connected`. */
  async connect(): Promise<void> {
    await this.open();
    this.receive(connected);
  }

  /** A new connection takes over while this one still works. `letGo`: when the link ends one that was left before. */
  async move(letGo = () => {}): Promise<Old> {
    const { frame, done, left } = this.options.layer!.leave();
    letGo();
    await this.open();
    return {
      says: (...messages) => messages.forEach((message) => frame(JSON.stringify(message))),
      done,
      ends: left,
    };
  }

  receive(...messages: (object | string)[]): void {
    for (const message of messages)
      this.dispatchEvent(
        new MessageEvent('message', {
          data: typeof message === 'string' ? message : JSON.stringify(message),
        }),
      );
  }

  down(): void {
    this.#usable = false;
    this.emit('down', { kind: 'lost', code: 1006, reason: '', wasClean: false });
    this.setStatus({ name: 'connecting', first: false, attempt: 1, since: 0 });
  }

  suspect(): void {
    this.#usable = false;
    this.emit('suspect', { silentMs: 500 });
    this.setStatus({ name: 'suspect', since: 0, attempt: 1 });
  }

  /** The suspect connection answers after all. */
  recover(): void {
    this.#usable = true;
    this.setStatus({ name: 'online', since: 0, node: undefined, standby: undefined });
  }

  end(): void {
    this.#usable = false;
    this.setStatus({ name: 'closed', code: 1000, reason: '' });
    this.dispatchEvent(new Event('close'));
  }

  setStatus(status: Status): void {
    this.status = status;
    this.emit('status', status);
  }

  /** Reads the frames sent since the last read, one short line each. */
  sent(): string[] {
    return this.frames.splice(0).map((frame) => {
      const { msg, name, method, params, version, id } = frame;
      const list = (params as unknown[] | undefined)?.map((param) => JSON.stringify(param)).join() ?? '';
      switch (msg) {
        case 'connect':
          return `connect ${String(version)}`;
        case 'sub':
          return `sub ${String(name)}(${list})`;
        case 'method':
          return `method ${String(method)}(${list})`;
        default:
          return `${String(msg)} ${String(id)}`;
      }
    });
  }

  /** Id of the last unread frame with this subscription or method name. */
  id(of: string): string {
    const frame = this.frames.findLast(({ name, method }) => name === of || method === of);
    expect(frame, `a frame for ${of}`).toBeDefined();
    return frame!.id as string;
  }
}

export interface World {
  readonly ddp: DDPClient<FakeLink>;
  readonly link: FakeLink;
  /** `kind` of every `error` and `warning` event. */
  readonly events: string[];
  /** Errors that app code threw. */
  readonly reported: unknown[];
}

export function world(options: DDPOptions = {}): World {
  const reported: unknown[] = [];
  const ddp = new DDPClient<FakeLink>(
    'ws://127.0.0.1/websocket',
    { ...options, env: { reportError: (error) => reported.push(error), ...options.env } },
    (_url, linkOptions) => new FakeLink(linkOptions),
  );
  const events: string[] = [];
  ddp.on('error', ({ kind }) => events.push(`error ${kind}`));
  ddp.on('warning', ({ kind }) => events.push(`warning ${kind}`));
  return { ddp, link: ddp.link, events, reported };
}

/** State of a promise: 'pending', its value, or `kind` (else the message) of its error. */
export async function state(promise: Promise<unknown>): Promise<unknown> {
  const pending = Symbol();
  // Whatever has settled wins: its reactions are queued before this one's.
  for (let i = 0; i < 5; i++) await Promise.resolve();
  return Promise.race([promise, Promise.resolve(pending)]).then(
    (value) => (value === pending ? 'pending' : value),
    (error: { kind?: string; message: string }) => `!${error.kind ?? error.message}`,
  );
}

/** Logs the changes of a collection as `+id`, `~id`, `-id`. */
export function watch(ddp: DDPClient<FakeLink>, collection = 'c'): string[] {
  const log: string[] = [];
  ddp.collection(collection).observe({
    added: (doc) => log.push(`+${doc._id}`),
    changed: (doc) => log.push(`~${doc._id}`),
    removed: (doc) => log.push(`-${doc._id}`),
  });
  return log;
}

/** Reads and empties such a log. */
export const look = (log: string[]): string => log.splice(0).join(' ');

/** Logs in on the current connection. */
export async function logIn({ ddp, link }: World, token = 't'): Promise<void> {
  const login = ddp.login({ user: 'u' });
  const id = link.id('login');
  link.receive(result(id, { id: 'u1', token }), updated(id));
  await login;
}

export const connected = { msg: 'connected', session: 's' };
/** The answer of a server that rejects frames before its `connected`. */
export const tooEarly = (id: unknown, msg: unknown = 'sub') => ({
  msg: 'error',
  reason: 'Must connect first',
  offendingMessage: { msg, id },
});
export const added = (id: string, fields: object = {}, collection = 'c') => ({
  msg: 'added',
  collection,
  id,
  fields,
});
export const changed = (id: string, fields: object = {}, cleared: string[] = [], collection = 'c') => ({
  msg: 'changed',
  collection,
  id,
  fields,
  cleared,
});
export const removed = (id: string, collection = 'c') => ({ msg: 'removed', collection, id });
export const ready = (...subs: string[]) => ({ msg: 'ready', subs });
export const updated = (...methods: string[]) => ({ msg: 'updated', methods });
export const result = (id: string, value?: unknown) => ({ msg: 'result', id, result: value });
export const failed = (id: string, error: object) => ({ msg: 'result', id, error });
