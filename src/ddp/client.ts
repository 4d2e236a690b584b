import EventEmitter from 'eventemitter3';
import { validate, isFunction, isString, rule } from '../shared/validate.ts';
import { emitTo } from '../core/facade/emit.ts';
import type { Status } from '../core/api/events.ts';
import { FailoverWebSocket } from '../core/facade/failover-websocket.ts';
import type { FailoverOptions, UrlSource } from '../core/api/options.ts';
import type { Collection } from './collection.ts';
import type { FailoverEvents } from '../core/api/events.ts';
import type { DDPEvents, DDPStats } from './events.ts';
import type { ApplyOptions } from './call.ts';
import type { DDPOptions } from './options.ts';
import { passwordCredentials, type UserSelector } from './login.ts';
import { createSession, type Session } from './session.ts';
import type { Subscription } from './subscriptions.ts';
import type { DdpLink } from './wire.ts';

const isLinkFactory = rule(
  'a function that makes the link, such as overSockjs',
  isFunction,
  'Options are the second argument: new DDPClient(url, { … }).',
);

type Listener<E extends keyof DDPEvents> = (...args: DDPEvents[E]) => void;

/**
 * A DDP (Meteor) client that keeps working when the server's node dies.
 *
 * - Subscriptions, the login and unanswered calls are sent again on every new connection.
 * - Documents are exact once the subscriptions are ready again. A document that did not change raises no event.
 * - A call settles exactly once. The server runs it at least once, or at most once with `retry: false`.
 * - Calls made during an outage wait for its end. `options.queue` limits how many, `callTimeoutMs` how long.
 *
 * @typeParam Link the link below. Only tests and own transports use another one than FailoverWebSocket.
 * @example
 * const ddp = new DDPClient('wss://example.org/websocket', { policy: 'fast' });
 * const todos = ddp.subscribe('todos');
 * ddp.collection<{ text: string }>('todos').observe({ added: (doc) => console.log(doc._id, doc.text) });
 * await todos.ready;
 * await ddp.call('todos.add', 'id', 'text');
 */
export class DDPClient<Link extends DdpLink = FailoverWebSocket> {
  /** The link below, for whatever the client itself does not offer: `ddp.link.url`, for example. */
  readonly link: Link;
  readonly #session: Session<Link>;
  /** Emits `error` and `warning`, which are not the link's alone. */
  readonly #emitter = new EventEmitter();

  /**
   * Connects at once.
   *
   * @param url address of the server's `/websocket`: a string, a URL, a list of them, or a function called before every dial
   * @param connect makes the link. @default a FailoverWebSocket
   * @throws SyntaxError (a DOMException) for a bad URL
   * @throws RangeError for a bad option: it names the option and the value
   * @throws FailoverError of kind `unsupported` if the environment has no WebSocket
   * @example
   * const ddp = new DDPClient(['wss://a.example.org/websocket', 'wss://b.example.org/websocket'], {
   *   policy: 'fast',
   *   tokenStorage: localStorage,
   * });
   */
  constructor(
    url: UrlSource,
    options: DDPOptions = {},
    connect: (url: UrlSource, options: FailoverOptions) => Link = (url, options) =>
      new FailoverWebSocket(url, undefined, options) as DdpLink as Link,
  ) {
    validate('connect', connect, isLinkFactory);
    this.#session = createSession<Link>(
      options,
      (event, arg) => emitTo(this.#emitter, this.#session.env, event, [arg]),
      (options) => connect(url, options),
    );
    this.link = this.#session.link;
  }

  /** What to tell a person about the link. The object stays the same until something in it changes. */
  get status(): Status {
    return this.link.status;
  }

  /** Counters of the link and of dropped frames. */
  stats(): DDPStats {
    return { ...this.link.stats(), ...this.#session.counts };
  }

  /**
   * Subscribes to a publication, on this connection and every later one. Subscriptions with the same name and equal parameters
   * share one on the server, which ends when the last of them stops.
   *
   * A parameter that is a function is called, and its result sent: once now, and again for every later connection. It then still
   * sees the documents of the last connection. If it throws for a later connection, the error is reported and the last result is sent.
   *
   * @throws RangeError if a parameter has no form in EJSON; it names the place, `params[0].tags`
   * @throws whatever a parameter's function throws now
   * @example
   * const news = ddp.collection<{ at: number }>('news');
   * const subscription = ddp.subscribe('newsSince', () => news.find().at(-1)?.at ?? 0);
   * await subscription.ready;
   * subscription.stop();
   */
  subscribe(name: string, ...params: unknown[]): Subscription {
    return this.#session.subscribe(name, params);
  }

  /**
   * Calls a method. Resolves with its result once the documents it changed are up to date, too.
   *
   * Never throws. Rejects with a DDPError if the method failed on the server, else with a FailoverError of kind
   * - `timeout`: no answer within `callTimeoutMs`
   * - `overflow`: too many calls wait for a connection (`options.queue`)
   * - `malformed`: the result cannot be read
   * - `closed`, `unauthorized`, `exhausted`, `handshake`: the client or its link has ended
   *
   * and with a RangeError for an argument of the wrong type, or one that has no form in EJSON.
   * @example
   * try {
   *   await ddp.call('todos.add', 'milk');
   * } catch (error) {
   *   if (error instanceof DDPError && error.code === 'not-authorized') showLogin();
   *   else throw error;
   * }
   */
  call<T = unknown>(method: string, ...params: unknown[]): Promise<T> {
    return this.apply<T>(method, params);
  }

  /**
   * Calls a method with options. Rejects as `call` does, and also with a FailoverError of kind `aborted` (by `signal`) or
   * `unconfirmed` (`retry: false`, and the connection ended before the answer), and with a RangeError for a bad option.
   * @example
   * await ddp.apply('orders.pay', [orderId], { retry: false, timeoutMs: 10_000 });
   */
  apply<T = unknown>(method: string, params: readonly unknown[] = [], options?: ApplyOptions): Promise<T> {
    return this.#session.apply(method, params, options) as Promise<T>;
  }

  /**
   * Returns the collection of this name: the documents that the server publishes to this client. The same object for the same name.
   *
   * @typeParam T the fields of a document. They are not checked.
   * @throws RangeError unless the name is a string
   */
  collection<T = Record<string, unknown>>(name: string): Collection<T> {
    return this.#session.collection(validate('name', name, isString)) as unknown as Collection<T>;
  }

  /**
   * Logs in, and again on every later connection before anything else is sent. For that the `token` of the server's answer is
   * kept (see `tokenStorage`). If the server refuses the token later, it is forgotten and an `error` event of kind `handshake`
   * follows.
   *
   * Rejects as `call` does, and with a RangeError unless `credentials` is an object.
   * @param credentials what the server's login method takes
   * @param method another method that answers as `login` does. @default 'login'
   * @example
   * await ddp.login({ resume: token });
   * await ddp.login({ username, password }, 'createUser');
   */
  login<T = unknown>(credentials: unknown, method = 'login'): Promise<T> {
    return this.#session.login.logIn(credentials, method) as Promise<T>;
  }

  /**
   * Logs in with a password, for Meteor's `accounts-password`. On secure pages the password leaves as its SHA-256 digest.
   * On others browsers offer no digest, and the password itself is sent.
   *
   * Rejects as `login` does.
   * @param user an email (a string with an `@`), a username, or an object that says which
   * @example
   * await ddp.loginWithPassword('ada@example.org', password);
   * await ddp.loginWithPassword({ username: 'ada' }, password);
   */
  async loginWithPassword<T = unknown>(user: UserSelector, password: string): Promise<T> {
    return this.login<T>(await passwordCredentials(this.#session.env, user, password));
  }

  /** Id of the user who is logged in. Undefined if nobody is, or if the server's answer to the login did not contain it. */
  get userId(): string | undefined {
    return this.#session.login.userId;
  }

  /** Forgets the token at once and logs out on the server. Rejects as `call` does. */
  logout(): Promise<void> {
    return this.#session.login.logOut();
  }

  /**
   * Adds a hook that runs on every connection but the first. What it calls is sent after the login and before the
   * subscriptions. It must be synchronous. What it throws is reported.
   *
   * @returns a function that removes the hook
   * @throws RangeError unless `hook` is a function
   * @example
   * const remove = ddp.onReconnect(() => void ddp.call('presence.set', 'online').catch(console.warn));
   */
  onReconnect(hook: () => void): () => void {
    validate('hook', hook, isFunction);
    // Its own function, so that a hook added twice runs twice.
    const entry = () => hook();
    this.#session.reconnectHooks.add(entry);
    return () => void this.#session.reconnectHooks.delete(entry);
  }

  /**
   * Adds a listener for an event of the client or its link. What a listener throws is reported and does not affect others.
   * @example
   * ddp.on('status', (status) => render(status)).on('error', (error) => console.warn(error.kind, error.message));
   */
  on<E extends keyof DDPEvents>(event: E, listener: Listener<E>): this {
    this.#emitterOf(event).on(event, listener as never);
    return this;
  }

  /** Adds a listener that is called at most once. */
  once<E extends keyof DDPEvents>(event: E, listener: Listener<E>): this {
    this.#emitterOf(event).once(event, listener as never);
    return this;
  }

  /** Removes a listener. */
  off<E extends keyof DDPEvents>(event: E, listener: Listener<E>): this {
    this.#emitterOf(event).off(event, listener as never);
    return this;
  }

  /** Dials at once, cutting any wait short. */
  reconnect(): void {
    this.link.reconnect();
  }

  /** Closes the client for good. Calls and subscriptions that still wait reject with `closed`. Documents stay readable. */
  close(): void {
    this.link.close();
    this.#session.end();
  }

  #emitterOf(event: keyof DDPEvents): EventEmitter {
    return event in CLIENT_EVENTS ? this.#emitter : (this.link as unknown as EventEmitter);
  }
}

/**
 * Events that the client emits itself; all others are the link's. The type makes a new event of DDP break the build here. `warning`
 * is both: those of the link are passed on.
 */
const CLIENT_EVENTS: Readonly<Record<Exclude<keyof DDPEvents, keyof FailoverEvents> | 'warning', true>> = {
  error: true,
  warning: true,
};
