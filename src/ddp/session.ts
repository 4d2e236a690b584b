import { isolate, type Env } from '../core/env.ts';
import { FailoverError, show } from '../core/errors.ts';
import type { FailoverEvents, Stats, Status } from '../core/events.ts';
import { resolveOptions, type FailoverOptions, type Leaving } from '../core/options.ts';
import { createStore, type Store } from './collections.ts';
import type { DDPError } from './errors.ts';
import type { DDPEvents } from './events.ts';
import { encode, isPong, parseMessage, PING, VERSIONS, type ServerMessage } from './messages.ts';
import { createMethods, type Methods } from './methods.ts';
import { checkTimeout, type DDPOptions } from './options.ts';
import { createQuiescence, type Quiescence } from './quiescence.ts';
import { createSubscriptions, type Subscriptions } from './subscriptions.ts';
import { createTokens, type Tokens } from './tokens.ts';
import type { Wire } from './wire.ts';

type Listen = <E extends keyof FailoverEvents>(event: E, fn: (...args: FailoverEvents[E]) => void) => unknown;

/** The part of FailoverWebSocket that DDP stands on. */
export interface DdpLink {
  readonly status: Status;
  stats(): Stats;
  send(frame: string): void;
  close(): void;
  reconnect(): void;
  addEventListener(type: 'open' | 'message' | 'close', fn: (event: Event) => void): void;
  readonly on: Listen;
  readonly once: Listen;
  readonly off: Listen;
}

/** Tells an event that is not the link's alone. */
export type Emit = <E extends 'error' | 'warning'>(event: E, arg: DDPEvents[E][0]) => void;

/**
 * Publications without a name (`publish(null)`; Meteor's accounts publish the user so) say nothing when they are complete, and
 * come after the answer to the login and after every `ready`. After a resumed login what they have not mentioned yet is removed
 * so much later: their answers leave a server within some 30 ms of each other (Meteor 3.0.4).
 */
const UNIVERSAL_MS = 100;

/** Stands for the session itself among the ids that hold back data. */
const CONNECTED = '';

/**
 * One DDP client over many connections. On each new one leaves, in one flight and this order: connect, login, what
 * `onReconnect` hooks call, subscriptions, calls without an answer. `connect` goes in the link's handshake, so that it may also
 * prove a replacement beside a suspect connection; the rest when that has become current.
 */
export class Session<Link extends DdpLink> implements Wire {
  readonly link: Link;
  readonly env: Env;
  readonly store: Store;
  readonly subscriptions: Subscriptions;
  readonly methods: Methods;
  readonly hooks = new Set<() => void>();
  epoch = 1;
  leaving = 0;
  greeting = false;
  readonly counts = { malformedFrames: 0, unknownMessages: 0 };
  /** Of the user who is logged in, as the server's answer named it. */
  userId: string | undefined;
  /** Set once it is over, for whatever is asked of it later. */
  closed: FailoverError | undefined;

  readonly #emit: Emit;
  readonly #quiescence: Quiescence;
  /** There is a connection, and it has been told where we stand. */
  #live = false;
  /** The server has taken this connection's session on. */
  #connected = false;
  /** This server hears nothing before it has said `connected`. */
  #patient = false;
  /** What was waiting for `connected` has been sent. */
  #departed = false;
  readonly #tokenStore: Tokens;
  /** The connection may be about to be replaced: what is sent now could be sent again with the replay. */
  #suspect = false;
  /** Subscriptions sent again on this connection. */
  #revived = 0;
  #ids = 0;
  #version = VERSIONS[0]!;
  /** Versions offered since the last success. */
  #offered = new Set<string>();

  /** @throws RangeError for a bad option, and whatever `dial` throws */
  constructor(options: DDPOptions, emit: Emit, dial: (options: FailoverOptions) => Link) {
    const {
      quiescenceTimeoutMs = 10_000,
      callTimeoutMs = 60_000,
      tokenStorage,
      tokenKey,
      ...others
    } = options;
    const { serverNotices = true, ...rest } = others;
    const { env, queue, handshake } = resolveOptions({ ...rest, serverNotices });
    checkTimeout('quiescenceTimeoutMs', quiescenceTimeoutMs);
    checkTimeout('callTimeoutMs', callTimeoutMs, Infinity);
    this.env = env;
    this.#emit = emit;
    this.#tokenStore = createTokens(env, tokenStorage, tokenKey);
    this.store = createStore((fn) => this.guard(fn));
    this.#quiescence = createQuiescence(
      env,
      quiescenceTimeoutMs,
      (sweep) => this.store.show(sweep),
      (awaited) =>
        emit('warning', {
          kind: 'quiescence',
          message: `${awaited} answers missing after ${quiescenceTimeoutMs} ms`,
        }),
    );
    this.subscriptions = createSubscriptions(this, (id) => this.#quiescence.settle(id));
    this.methods = createMethods(this, env, queue, callTimeoutMs);
    const link = (this.link = dial({
      ...rest,
      env,
      heartbeat: rest.heartbeat ?? { message: PING, isReply: isPong, required: true },
      // A lost connection is no end of this client.
      events: 'link',
      serverNotices,
      handshake: async (send, receive) => {
        await handshake?.(send, receive);
        this.#offered.add(this.#version);
        send(encode({ msg: 'connect', version: this.#version, support: VERSIONS }));
      },
      layer: {
        replayed: () => this.#quiescence.settled.then(() => this.#revived),
        leave: () => this.#leave(),
      },
    }));
    link.addEventListener('open', () => this.#open());
    link.addEventListener('message', (event) => this.#receive(parseMessage((event as MessageEvent).data)));
    link.addEventListener('close', () => this.end());
    link.on('giveup', (error) => this.end(error));
    link.on('down', () => this.#lost());
    link.on('suspect', () => (this.#suspect = true));
    link.on('status', ({ name }) => {
      // The suspect answered after all: nothing was replaced, what waited may go.
      if (name !== 'online' || !this.#suspect) return;
      this.#suspect = false;
      this.#flush();
    });
    link.on('warning', (warning) => emit('warning', warning));
  }

  get usable(): boolean {
    return this.#live && !this.#suspect && (this.#connected || !this.#patient);
  }

  send(frame: string): void {
    this.link.send(frame);
  }

  nextId(): string {
    return String(++this.#ids);
  }

  /** Calls app code; what it throws is reported and goes no further. */
  guard(fn: () => void): void {
    isolate(this.env, fn);
  }

  login(credentials: unknown, method: string): Promise<unknown> {
    return this.methods.apply(method, [credentials], {}, this.#remember);
  }

  async logout(): Promise<void> {
    this.#forget();
    // Again in the order of the server's answers: a login that was under way has brought a new token.
    await this.methods.apply('logout', [], {}, () => this.#forget());
  }

  /** Forgets who is logged in. */
  #forget(): void {
    this.#tokenStore.set(undefined);
    this.userId = undefined;
  }

  /** Everything that still waits ends with this error. */
  end(error = new FailoverError('closed', 'client closed')): void {
    if (this.closed) return;
    this.closed = error;
    this.#live = false;
    this.#quiescence.cancel();
    this.methods.close(error);
    this.subscriptions.close(error);
    this.store.end();
  }

  #open(): void {
    if (this.closed) return;
    this.#lost();
    this.#live = true;
    this.#connected = false;
    this.#departed = false;
    this.#suspect = false;
    const { awaited, pending } = this.subscriptions.revive();
    this.#revived = awaited.length + pending.length;
    awaited.push(CONNECTED);
    this.#quiescence.begin(awaited, pending);
    this.store.hold();
    if (!this.#patient) this.#depart();
  }

  /** Everything this connection has to be told leaves in one flight. */
  #depart(): void {
    this.#departed = true;
    this.greeting = true;
    const token = this.#tokenStore.get();
    if (token !== undefined) {
      this.#resume(token);
      this.#quiescence.await(String(this.#ids), UNIVERSAL_MS);
    }
    // A login that waits for its answer will replace the token, if it succeeds.
    this.methods.greet();
    if (this.epoch > 1) for (const hook of [...this.hooks]) this.guard(hook);
    this.greeting = false;
    this.#flush();
  }

  #flush(): void {
    this.subscriptions.flush();
    this.methods.flush();
  }

  #lost(): void {
    if (!this.#live) return;
    this.#live = false;
    this.#quiescence.cancel();
    if (this.leaving !== this.epoch) this.methods.lost(this.epoch);
    this.epoch += 1;
  }

  /**
   * Another connection takes over while this one still works. Until the new one is replayed, whose data is held back as
   * always, and every call sent on this one is answered, what it says is taken as before.
   */
  #leave(): Leaving {
    const { epoch } = this;
    // A session that was refused answers nothing.
    const wanted = this.#connected;
    if (wanted) this.leaving = epoch;
    return {
      frame: (data) => this.#late(parseMessage(data)),
      // Begun by the time it is asked: `open` follows at once.
      done: Promise.resolve().then(async () => {
        if (!wanted) return;
        await this.#quiescence.settled;
        await this.methods.answered(epoch);
      }),
      left: () => {
        if (this.leaving === epoch) this.leaving = 0;
        this.methods.lost(epoch);
        // A result without its `updated`: what it changed is among the new connection's data.
        if (this.#live) this.#quiescence.after(() => this.methods.caughtUp());
        this.#flush();
      },
    };
  }

  #late(message: ServerMessage): void {
    if ('collection' in message) return this.store.collection(message.collection).late(message);
    switch (message.msg) {
      case 'updated':
        return this.methods.updated(message.ids);
      case 'result':
        return this.methods.result(message.id, message.error, message.result);
      default:
      // Subscriptions are the new connection's matter.
    }
  }

  /** Logs in with the token. A refusal is told, and not tried again. */
  #resume(resume: string): void {
    this.methods
      .apply('login', [{ resume }], { retry: false }, (result) => {
        // Unless the app has logged out meanwhile.
        if (this.#tokenStore.get() === resume) this.#remember(result);
      })
      .catch((cause: FailoverError) => {
        // Lost with its connection: the next one resumes anew.
        if (cause.kind !== 'server' && cause.kind !== 'timeout') return;
        // 403 is Meteor's word for a token that is none any more; a server in trouble says others.
        if ((cause as Partial<DDPError>).code === 403 && this.#tokenStore.get() === resume) this.#forget();
        this.#error(new FailoverError('handshake', `login not resumed: ${cause.message}`, { cause }));
      });
  }

  readonly #remember = (result: unknown): void => {
    const { id, token } = Object(result) as { id?: unknown; token?: unknown };
    if (typeof token === 'string') this.#tokenStore.set(token);
    if (typeof id === 'string') this.userId = id;
  };

  #error(error: FailoverError): void {
    if (error.kind === 'malformed') this.counts.malformedFrames += 1;
    this.#emit('error', error);
  }

  #receive(message: ServerMessage): void {
    if (!this.#live) return;
    if ('collection' in message) return this.store.collection(message.collection).apply(message);
    switch (message.msg) {
      case 'updated':
        return this.#quiescence.after(() => this.methods.updated(message.ids));
      case 'result':
        if (message.error?.kind === 'malformed') this.#error(message.error);
        this.methods.result(message.id, message.error, message.result);
        return this.#quiescence.settle(message.id);
      case 'ready':
        for (const id of message.ids) this.subscriptions.ready(id, (fn) => this.#quiescence.after(fn));
        return;
      case 'nosub': {
        const error = this.subscriptions.nosub(message.id, message.error);
        if (error) this.#error(error);
        return;
      }
      case 'connected':
        this.#offered.clear();
        this.#connected = true;
        if (!this.#departed) this.#depart();
        // Sent too early for this server.
        else if (this.#patient) {
          this.methods.greet();
          this.#flush();
        }
        // First of all that is due once the data is shown.
        this.#quiescence.after(() => this.methods.caughtUp());
        return this.#quiescence.settle(CONNECTED);
      case 'ping':
        return this.send(encode({ msg: 'pong', id: message.id }));
      case 'failed':
        // After `connected` there is nothing left to negotiate.
        return this.#offered.size ? this.#negotiate(message.version) : undefined;
      case 'error': {
        const { msg, id } = message.offending;
        const error = new FailoverError('server', `server: ${message.reason}`);
        if (!this.#connected && (id !== undefined || msg === 'ping')) {
          // It hears nothing before `connected`, but loses nothing: what it names goes again then, and from now on waits.
          this.#patient = true;
          this.subscriptions.unsent(id);
          return this.methods.unsent(id);
        }
        // Servers of DDP pre1 know no pings.
        if (msg === 'ping') return;
        this.methods.result(id as string, error, undefined);
        return this.#error(error);
      }
      case 'malformed':
        return this.#error(message.error);
      case 'unknown':
        this.counts.unknownMessages += 1;
        return this.#emit('warning', {
          kind: 'notice',
          message: `unknown message ${show(message.name)}`,
        });
      case 'ignored':
        return;
      default:
        message satisfies never;
    }
  }

  /** The server wants another version: the next connection offers it, unless that was refused before. */
  #negotiate(version: string): void {
    if (VERSIONS.includes(version) && !this.#offered.has(version)) {
      this.#version = version;
      return this.link.reconnect();
    }
    const error = new FailoverError('handshake', `no common DDP version, server: ${show(version)}`);
    this.#error(error);
    this.end(error);
    this.link.close();
  }
}
