import EventEmitter from 'eventemitter3';
import { validate, isFunction, isString } from '../shared/validate.ts';
import { emitTo } from '../core/facade/emit.ts';
import type { Status } from '../core/api/events.ts';
import { FailoverWebSocket } from '../core/facade/failover-websocket.ts';
import type { FailoverOptions, UrlSource } from '../core/api/options.ts';
import type { Collection } from './collection.ts';
import type { DDPEvents, DDPStats } from './events.ts';
import type { ApplyOptions } from './call.ts';
import type { DDPOptions } from './options.ts';
import { passwordCredentials, type UserSelector } from './login.ts';
import { createSession, type Session } from './session.ts';
import type { Subscription } from './subscriptions.ts';
import type { DdpLink } from './wire.ts';

type Listener<E extends keyof DDPEvents> = (...args: DDPEvents[E]) => void;

/**
 * A DDP (Meteor) client that stays served when its node dies.
 *
 * Documents are exact once the subscriptions are ready again, and one that did not change raises no event. A call settles
 * exactly once; on the server it runs at least once, or at most once with `retry: false`. Calls made during an outage wait for
 * its end, as many as `options.queue` allows.
 *
 * @typeParam Link only tests and own transports have another link than FailoverWebSocket
 * @example
 * const ddp = new DDPClient('wss://example.org/websocket', { policy: 'fast' });
 * const todos = ddp.subscribe('todos');
 * ddp.collection<{ text: string }>('todos').observe({ added: (doc) => console.log(doc._id, doc.text) });
 * await todos.ready;
 * await ddp.call('todos.add', 'id', 'text');
 */
export class DDPClient<Link extends DdpLink = FailoverWebSocket> {
  /** The link below: its `status`, `stats()` and events are this client's too. */
  readonly link: Link;
  readonly #session: Session<Link>;
  /** Of the events that are not the link's alone. */
  readonly #emitter = new EventEmitter();

  /**
   * @param url as for FailoverWebSocket: the address of the server's `/websocket`
   * @throws SyntaxError (DOMException) for a bad URL, RangeError for a bad option
   */
  constructor(
    url: UrlSource,
    options: DDPOptions = {},
    connect: (url: UrlSource, options: FailoverOptions) => Link = (url, options) =>
      new FailoverWebSocket(url, undefined, options) as DdpLink as Link,
  ) {
    this.#session = createSession<Link>(
      options,
      (event, arg) => emitTo(this.#emitter, this.#session.env, event, [arg]),
      (options) => connect(url, options),
    );
    this.link = this.#session.link;
  }

  /** What a person may be told about the link; the same object until something in it changes. */
  get status(): Status {
    return this.link.status;
  }

  /** Counters of the link, and of dropped frames. */
  stats(): DDPStats {
    return { ...this.link.stats(), ...this.#session.counts };
  }

  /**
   * Subscribes to a publication, on this connection and every later one. Who subscribes to the same name with the same parameters
   * shares one subscription, which ends when the last of them stops. A parameter that is a function is called, and its value
   * sent, now and again for every later connection, before which the documents are those the last one has left:
   * `() => last(ddp.collection('news').find())?.at`. If it throws then, that is reported and the last value sent.
   * @throws RangeError or TypeError if a parameter cannot be put into EJSON, and whatever such a function throws
   */
  subscribe(name: string, ...params: unknown[]): Subscription {
    return this.#session.subscribe(name, params);
  }

  /**
   * Calls a method. Resolves with its result when the documents it changed are up to date as well.
   * Rejects with a DDPError if the server says so, else with a FailoverError by whose `kind` callers may branch.
   */
  call<T = unknown>(method: string, ...params: unknown[]): Promise<T> {
    return this.apply<T>(method, params);
  }

  /** As `call`, with options. A bad option rejects with a RangeError. */
  apply<T = unknown>(method: string, params: readonly unknown[] = [], options?: ApplyOptions): Promise<T> {
    return this.#session.apply(method, params, options) as Promise<T>;
  }

  /** The documents of a collection, as far as they are published to this client. The same object for the same name. */
  collection<T = Record<string, unknown>>(name: string): Collection<T> {
    return this.#session.collection(validate('name', name, isString)) as unknown as Collection<T>;
  }

  /**
   * Logs in with whatever the server's `login` method takes, or another method that answers as that does (`createUser`). The
   * `token` of its result is used to log in again on every later connection, before anything else; if the server refuses it, it is
   * forgotten and an `error` event tells of it.
   */
  login<T = unknown>(credentials: unknown, method = 'login'): Promise<T> {
    return this.#session.login.logIn(credentials, method) as Promise<T>;
  }

  /** Logs in with a password, as Meteor's accounts-password takes it: what is sent is its SHA-256 digest. */
  async loginWithPassword<T = unknown>(user: UserSelector, password: string): Promise<T> {
    return this.login<T>(await passwordCredentials(this.#session.env, user, password));
  }

  /** The id of the user who is logged in; undefined if nobody is, or the server does not say it. */
  get userId(): string | undefined {
    return this.#session.login.userId;
  }

  /** Logs out and forgets the token. */
  logout(): Promise<void> {
    return this.#session.login.logOut();
  }

  /**
   * Runs a hook on every connection but the first. What it calls is sent after the login and before the subscriptions.
   * It must be synchronous. Returns the way to remove it.
   */
  onReconnect(hook: () => void): () => void {
    validate('hook', hook, isFunction);
    const entry = () => hook();
    this.#session.reconnectHooks.add(entry);
    return () => void this.#session.reconnectHooks.delete(entry);
  }

  /** Listens to an event. A listener that throws harms no other. */
  on<E extends keyof DDPEvents>(event: E, listener: Listener<E>): this {
    this.#emitterOf(event).on(event, listener as never);
    return this;
  }

  once<E extends keyof DDPEvents>(event: E, listener: Listener<E>): this {
    this.#emitterOf(event).once(event, listener as never);
    return this;
  }

  off<E extends keyof DDPEvents>(event: E, listener: Listener<E>): this {
    this.#emitterOf(event).off(event, listener as never);
    return this;
  }

  /** Dials at once, cutting any wait short. */
  reconnect(): void {
    this.link.reconnect();
  }

  /** Ends the client: calls and subscriptions that still wait reject with `closed`. Documents can still be read. */
  close(): void {
    this.link.close();
    this.#session.end();
  }

  /** Who tells an event. */
  #emitterOf(event: string): EventEmitter {
    return /^(error|warning)$/.test(event) ? this.#emitter : (this.link as unknown as EventEmitter);
  }
}
