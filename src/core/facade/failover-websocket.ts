import EventEmitter from 'eventemitter3';
import { emitTo } from './emit.ts';
import { isolate } from '../env/env.ts';
import { FailoverError } from '../api/errors.ts';
import { formatValue } from '../../shared/format-value.ts';
import type { FailoverEvents, Stats, Status } from '../api/events.ts';
import { CLOSED, closeEvent, CLOSING, CONNECTING, messageEvent, OPEN } from './dom-events.ts';
import { Link } from '../link/link.ts';
import {
  resolveOptions,
  type FailoverOptions,
  type LogLevel,
  type ProtocolSource,
  type UrlSource,
} from '../api/options.ts';
import { frameBytes, makeFrame, toFrame, type Frame } from '../api/frame.ts';
import { ReplayRegistry } from './replay-registry.ts';
import { createSendQueue, type SendQueue } from './send-queue.ts';
import type { Socket } from '../link/socket.ts';
import type { CloseDetails } from '../rules/classify.ts';
import { sameStatus, statusOf } from '../rules/status.ts';
import { createEndpoints, syntaxError, type Endpoints } from '../link/endpoints.ts';

interface DomEvents {
  open: Event;
  message: MessageEvent;
  error: Event;
  close: CloseEvent;
}
type DomHandler<E> = ((this: FailoverWebSocket, event: E) => unknown) | null;
type Listener<E extends keyof FailoverEvents> = (...args: FailoverEvents[E]) => void;

/**
 * A drop-in for `WebSocket` that stays served: it notices that its node is gone, dials until another node answers, replays
 * `subscriptions`, and sends what has waited.
 *
 * It differs from `WebSocket` in three ways. `open` is dispatched for every new connection. `close` is dispatched only when
 * the link will not dial again, and `readyState` is CONNECTING or OPEN until then. `send` queues while there is no
 * connection, where `WebSocket` throws. Beside the DOM events there are those of `FailoverEvents`: see `on`.
 *
 * @example
 * const ws = new FailoverWebSocket('wss://example.org/ws', undefined, {
 *   policy: 'fast',
 *   heartbeat: { message: 'ping', isReply: (data) => data === 'pong' },
 * });
 * ws.subscriptions.set('news', JSON.stringify({ subscribe: 'news' }));
 * ws.onmessage = (event) => render(event.data);
 * ws.on('failover', (report) => console.log(`moved in ${report.downMs} ms`));
 */
export class FailoverWebSocket extends EventTarget {
  static readonly CONNECTING = CONNECTING;
  static readonly OPEN = OPEN;
  static readonly CLOSING = CLOSING;
  static readonly CLOSED = CLOSED;
  readonly CONNECTING = CONNECTING;
  readonly OPEN = OPEN;
  readonly CLOSING = CLOSING;
  readonly CLOSED = CLOSED;

  /** As WebSocket's; `null` when unset. */
  declare onopen: DomHandler<Event>;
  declare onmessage: DomHandler<MessageEvent>;
  declare onerror: DomHandler<Event>;
  declare onclose: DomHandler<CloseEvent>;

  /** Frames to send on every new connection, in order, before anything that waited. */
  readonly subscriptions: ReplayRegistry;

  readonly #link: Link;
  readonly #queue: SendQueue;
  readonly #endpoints: Endpoints;
  readonly #emitter = new EventEmitter<FailoverEvents>();
  readonly #options: ReturnType<typeof resolveOptions>;
  #binaryType: BinaryType = 'blob';
  /** The socket that was dialled last. */
  #dialled: Socket | undefined;
  #status: Status;
  /** The status that listeners were told last. */
  #lastEmitted: Status;
  /** `open` was dispatched, or is being dispatched, for the connection in use. */
  #opened = false;
  /** `open` is being dispatched: what its listeners send goes out before what has waited. */
  #dispatchingOpen = false;
  /** Keys of the registry whose entries still have to be sent, for example because the link was suspect. */
  readonly #pendingKeys = new Set<unknown>();
  #replayed = 0;
  #done = false;

  /**
   * @param url one address, several (the next is taken after a failure), or a provider asked before every dial. Relative and
   *   http(s) URLs are accepted as in `WebSocket`. `{attempt}` is replaced by a token that is new for every dial.
   * @param protocols subprotocols as in `WebSocket`, or a provider of them asked before every dial. @default none
   * @param options see FailoverOptions. @default `balanced`, without heartbeat
   * @throws SyntaxError (DOMException) for a bad URL or subprotocol, RangeError for a bad option, FailoverError `unsupported`
   *   if the environment has no WebSocket class
   */
  constructor(url: UrlSource, protocols?: ProtocolSource, options?: FailoverOptions) {
    super();
    this.#options = resolveOptions(options);
    const { env, queue } = this.#options;
    // First, since options in the place of protocols are a likelier mistake than an environment without WebSocket.
    this.#endpoints = createEndpoints(url, protocols, env);
    if (!env.WebSocket) {
      throw new FailoverError(
        'unsupported',
        'No WebSocket in this environment. On Node 20 pass `env: { WebSocket }` from the `ws` package.',
      );
    }
    this.#queue = createSendQueue(queue, (messages, bytes) => this.#emit('overflow', { messages, bytes }));
    this.subscriptions = new ReplayRegistry((key) => {
      if (this.#canSendNow) this.#sendEntry(key);
      // Noted even if it is sent: a replacement may know the entry as it was before.
      if (!this.#canSendNow || this.#link.isHandingOver) this.#pendingKeys.add(key);
    });
    this.#link = new Link(this.#options, this.#endpoints, {
      dialled: (socket) => (this.#dialled = socket).setBinaryType(this.#binaryType),
      replay: ({ send }) => {
        this.#pendingKeys.clear();
        for (const key of this.subscriptions.keys()) this.#sendEntry(key, send);
      },
      adopted: (handover) => this.#adopted(handover),
      frame: (event) => this.dispatchEvent(messageEvent(event)),
      released: () => {
        this.#sendPendingKeys();
        this.#flush();
      },
      lost: (end) => {
        this.#opened = false;
        if (this.#perConnection) this.#dispatchClose(end);
      },
      closed: (end) => this.#closed(end),
      changed: () => this.#changed(),
      emit: (event, ...args) => this.#emit(event, ...args),
      replayed: async () => this.#options.layer?.replayed() ?? this.#replayed,
    });
    this.#status = this.#lastEmitted = statusOf(this.#link.state, undefined, undefined, env.timeOrigin);
    this.#link.start();
  }

  /** The address of the current or last dial; '' before a provider has answered for the first time. */
  get url(): string {
    return this.#endpoints.lastUrl;
  }

  /** OPEN or CONNECTING while the link goes on by itself; CLOSING and CLOSED after `close()` or a `giveup`. */
  get readyState(): number {
    if (this.#done) return CLOSED;
    const { name } = this.#link.state;
    if (name === 'closed' || name === 'failed') return CLOSING;
    return this.#opened ? OPEN : CONNECTING;
  }

  get protocol(): string {
    return this.#native?.protocol ?? '';
  }

  get extensions(): string {
    return this.#native?.extensions ?? '';
  }

  /** Bytes that wait in the link's own queue and in the engine's. */
  get bufferedAmount(): number {
    return this.#queue.bytes + (this.#native?.bufferedAmount ?? 0);
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    if (type !== 'blob' && type !== 'arraybuffer') return; // As in WebSocket, an unknown value is ignored.
    this.#binaryType = type;
    this.#link.current?.socket.setBinaryType(type);
    this.#dialled?.setBinaryType(type);
  }

  /** What a person may be told about the link. The same object until something in it changes. */
  get status(): Status {
    const { state, current, standbyNode } = this.#link;
    const status = statusOf(state, current?.node, standbyNode, this.#options.env.timeOrigin);
    return sameStatus(status, this.#status) ? this.#status : (this.#status = status);
  }

  /** Counters since the link was made, and the round trip as measured now. */
  stats(): Stats {
    return { ...this.#link.stats, queuedMessages: this.#queue.messages, queuedBytes: this.#queue.bytes };
  }

  /**
   * Sends a frame, or queues it while there is no usable connection. After `close()` frames are discarded, as in `WebSocket`.
   * @param frame text or binary data; anything else becomes text, as in `WebSocket`
   * @throws FailoverError `overflow` if the queue is full (option `queue`)
   */
  send(frame: Frame): void {
    const data = toFrame(frame);
    if (this.readyState >= CLOSING) return;
    if (this.#canSendNow) this.#link.send(data);
    else this.#queue.push(data);
  }

  /**
   * Ends the link for good. `close` is dispatched once: when the peer has answered, or after 1 s.
   * @param code 1000, or 3000 to 4999. @default 1000
   * @param reason at most 123 bytes in UTF-8. @default ''
   * @throws InvalidAccessError (DOMException) for another code, SyntaxError (DOMException) for a longer reason
   */
  close(code = 1000, reason = ''): void {
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException(
        `close: expected code 1000 or one from 3000 to 4999, got ${formatValue(code)}. Other codes are reserved for engines and servers.`,
        'InvalidAccessError',
      );
    }
    const text = String(reason);
    if (frameBytes(text) > 123) {
      throw syntaxError(
        `close: expected a reason of at most 123 bytes in UTF-8 (RFC 6455, section 5.5), got ${frameBytes(text)} bytes.`,
      );
    }
    if (this.readyState >= CLOSING) return;
    this.#link.close(code, text);
  }

  /**
   * Dials at once, cutting any wait short. An open connection stays in use until the new one is up. A dial that is under way goes
   * on, unless one of this outage has hung already. Without effect after `close()`.
   */
  reconnect(): void {
    this.#link.reconnect();
  }

  /**
   * Listens to an event of FailoverEvents. A listener that throws harms no other: the error is reported as uncaught.
   * @example ws.on('status', (status) => badge.textContent = status.name);
   */
  on<E extends keyof FailoverEvents>(event: E, listener: Listener<E>): this {
    this.#emitter.on(event, listener);
    return this;
  }

  /** As `on`, for one event only. */
  once<E extends keyof FailoverEvents>(event: E, listener: Listener<E>): this {
    this.#emitter.once(event, listener);
    return this;
  }

  /** Stops listening. */
  off<E extends keyof FailoverEvents>(event: E, listener: Listener<E>): this {
    this.#emitter.off(event, listener);
    return this;
  }

  /** As in WebSocket. The options `once`, `capture` and `signal` are EventTarget's own. */
  declare addEventListener: {
    <E extends keyof DomEvents>(
      type: E,
      listener: ((this: FailoverWebSocket, event: DomEvents[E]) => unknown) | null,
      options?: boolean | AddEventListenerOptions,
    ): void;
    (
      type: string,
      listener: EventListenerOrEventListenerObject | null,
      options?: boolean | AddEventListenerOptions,
    ): void;
  };

  get #perConnection(): boolean {
    return this.#options.events !== 'link';
  }

  get #native(): WebSocket | undefined {
    return this.#link.current?.socket.native();
  }

  /** May a frame go straight to the socket, since none waits that must go before it? */
  get #canSendNow(): boolean {
    return this.#link.isUsable && this.#opened && (this.#dispatchingOpen || !this.#queue.messages);
  }

  #adopted(handover: boolean): number {
    // What is sent or set from here on waits for its turn.
    this.#opened = false;
    if (handover && this.#perConnection) this.#dispatchClose({ code: 1000, reason: '', wasClean: true });
    this.#replayed = this.subscriptions.size;
    if (!this.#link.current?.replayed) {
      for (const key of this.subscriptions.keys()) {
        this.#pendingKeys.delete(key);
        this.#sendEntry(key);
      }
    }
    // What an entry or a listener has set meanwhile.
    this.#sendPendingKeys();
    if (!this.#link.isUsable) return 0;
    this.#opened = true;
    this.#dispatchingOpen = true;
    this.dispatchEvent(new Event('open'));
    this.#dispatchingOpen = false;
    return this.#flush();
  }

  #flush(): number {
    return this.#queue.flush((frame) => {
      if (!this.#link.isUsable) return false;
      this.#link.send(frame);
      return true;
    });
  }

  #sendPendingKeys(): void {
    for (const key of this.#pendingKeys) this.#sendEntry(key);
    // A replacement that knows the rest already has yet to hear of these.
    if (!this.#link.isHandingOver) this.#pendingKeys.clear();
  }

  #sendEntry(key: unknown, send = (frame: Frame) => this.#link.send(frame)): void {
    const entry = this.subscriptions.get(key);
    // An entry or listener before it may have deleted it, or closed the connection.
    if (entry === undefined || !this.#link.isUsable) return;
    const frame =
      typeof entry === 'function' ? this.#link.guard('subscriptions', () => makeFrame(entry)) : entry;
    if (frame !== undefined) send(frame);
  }

  #closed(end: CloseDetails): void {
    const discarded = this.#queue.clear();
    if (discarded) {
      const message = `${discarded} frames were still waiting for a connection when the link ended, and were not sent.`;
      this.#emit('warning', { kind: 'queue-discarded', message, detail: discarded });
    }
    this.#done = true;
    this.#opened = false;
    this.#dispatchClose(end);
  }

  #dispatchClose(end: CloseDetails): void {
    if (!end.wasClean) this.dispatchEvent(new Event('error'));
    this.dispatchEvent(closeEvent(end));
  }

  #changed(): void {
    const { status } = this;
    if (status === this.#lastEmitted) return;
    this.#lastEmitted = status;
    this.#emit('status', status);
  }

  #emit<E extends keyof FailoverEvents>(event: E, ...args: FailoverEvents[E]): void {
    const { env, log } = this.#options;
    isolate(env, () => log?.(LEVELS[event] ?? 'info', event, args[0]));
    emitTo(this.#emitter as unknown as EventEmitter, env, event, args);
  }
}

// `onopen`, `onmessage`, `onerror` and `onclose` as WebSocket has them: one replaceable listener each, in the order of first setting.
for (const type of ['open', 'message', 'error', 'close']) {
  const handlers = new WeakMap<FailoverWebSocket, DomHandler<Event>>();
  Object.defineProperty(FailoverWebSocket.prototype, `on${type}`, {
    configurable: true,
    enumerable: true,
    get(this: FailoverWebSocket) {
      return handlers.get(this) ?? null;
    },
    set(this: FailoverWebSocket, handler: DomHandler<Event>) {
      if (!handlers.has(this)) this.addEventListener(type, (event) => handlers.get(this)?.call(this, event));
      handlers.set(this, typeof handler === 'function' ? handler : null);
    },
  });
}

/** Levels of the log. What is not listed is `info`. */
const LEVELS: Partial<Record<keyof FailoverEvents, LogLevel>> = {
  status: 'debug',
  attempt: 'debug',
  probe: 'debug',
  suspect: 'warn',
  down: 'warn',
  warning: 'warn',
  overflow: 'error',
  giveup: 'error',
};
