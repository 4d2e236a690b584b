/**
 * The one door to the outside world. The library takes clock, timers, randomness, sockets, fetch and page events from an
 * `Env` only, so that tests and the simulation run the real code in a world of their own. An app replaces single fields by
 * the option `env`; the rest stays the browser's. Nothing here may throw unless it says so.
 *
 * @example
 * // Node 20 has no WebSocket class of its own.
 * import WebSocket from 'ws';
 * new FailoverWebSocket('wss://example.org/ws', undefined, { env: { WebSocket } });
 */
export interface Env {
  /** Returns monotonic milliseconds. With `timeOrigin` added they are Unix time. @default performance.now */
  now(): number;
  /** Unix time in milliseconds at which `now()` was 0. @default performance.timeOrigin */
  readonly timeOrigin: number;
  /**
   * Calls `fn` once after `ms` milliseconds, 0 to 2 147 483 647; returns what `clearTimeout` takes. The default is punctual
   * in a hidden page too: its timers also run in a Worker. @default page timers, with a Worker beside them while hidden
   */
  setTimeout(fn: () => void, ms: number): unknown;
  /** Cancels a timer; one that has fired, or undefined, is ignored. */
  clearTimeout(timer: unknown): void;
  /** Returns a number uniform in 0 … 1, without 1. @default Math.random */
  random(): number;
  /**
   * The native class, or one that behaves like it, such as that of the `ws` package. Undefined: making a link throws a
   * FailoverError `unsupported`. @default globalThis.WebSocket
   */
  readonly WebSocket: WebSocketConstructor | undefined;
  /** Sends probes. Undefined: there are none. @default globalThis.fetch */
  readonly fetch: typeof fetch | undefined;
  /** What happens to the page. @default the page's own events; outside a page online, visible and silent */
  readonly page: Page;
  /** Web Crypto; undefined where there is none, as in an insecure context. @default crypto.subtle */
  readonly subtle: Pick<SubtleCrypto, 'digest'> | undefined;
  /**
   * The Web Locks of the origin, by which its tabs dial one after the other. Undefined (an insecure context, an old
   * browser): each tab dials alone. @default navigator.locks
   */
  readonly locks: Pick<LockManager, 'request'> | undefined;
  /**
   * Storage that the tabs of the origin share. Undefined where the page may not have it. `setItem` may throw, for example
   * when the storage is full. @default localStorage
   */
  readonly storage: Pick<Storage, 'getItem' | 'setItem'> | undefined;
  /** Tells which engine's quirks apply; '' means none that are known. @default navigator.userAgent */
  readonly userAgent: string;
  /**
   * URL of the page. Relative URLs are resolved against it, and its origin decides which probes are same-origin.
   * Undefined outside a page. @default location.href
   */
  readonly baseUrl: string | undefined;
  /**
   * Puts a span on the performance timeline. `startMs` and `endMs` are on the clock of `now()`. It does nothing where
   * there is no timeline. @default performance.measure
   */
  measure(name: string, startMs: number, endMs: number, detail: unknown): void;
  /**
   * Receives an exception of the app's own listener, which is then neither swallowed nor thrown into other listeners.
   * @default globalThis.reportError; without it the exception is thrown in a task of its own
   */
  reportError(error: unknown): void;
  /** Releases what the environment itself holds. It is called once, when the link that uses it has ended. */
  dispose?(): void;
}

/** Calls the app's code. What it throws is reported as uncaught and goes no further. */
export function isolate(env: Pick<Env, 'reportError'>, call: () => void): void {
  try {
    call();
  } catch (error) {
    env.reportError(error);
  }
}

/** Constructor of a WebSocket. Its instances are typed loosely, so that other implementations than the browser's fit. */
export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => object;

/** What happens to a page, as far as it concerns a link. */
export type PageEvent =
  /** The network is back. */
  | 'online'
  /** The network is gone. */
  | 'offline'
  /** The page was left, for the back/forward cache or for good. */
  | 'hide'
  /** The page is visible again. */
  | 'visible'
  /** The page came back from the back/forward cache. */
  | 'restored'
  /** The page is awake again after the browser froze it. */
  | 'resume'
  /** The user touched the page. */
  | 'active';

/** State and events of the page. */
export interface Page {
  /** Returns whether the browser believes that there is a network. */
  online(): boolean;
  /** Returns whether the page is visible. */
  visible(): boolean;
  /** Subscribes to one page event. Returns a function that unsubscribes. */
  on(event: PageEvent, fn: () => void): () => void;
}
