/**
 * The one door to the outside world. Everything the library takes from it (clock, timers, randomness, sockets, fetch, page
 * events) comes through an `Env`, so that tests and the simulator run the real code in a world of their own making.
 */
export interface Env {
  /** Monotonic milliseconds; with `timeOrigin` added, Unix time in milliseconds. */
  now(): number;
  /** Unix time in milliseconds at which `now()` was 0. */
  readonly timeOrigin: number;
  /** In a hidden page as punctual as the engine allows. */
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Uniform in [0, 1). */
  random(): number;
  /** The native class, or one that behaves like it (`ws` in Node 20). */
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly fetch: typeof fetch | undefined;
  readonly page: Page;
  /** Web Crypto; undefined where there is none (not a secure context). */
  readonly subtle: Pick<SubtleCrypto, 'digest'> | undefined;
  /** The Web Locks of the origin; undefined where there are none (not a secure context, an old browser). */
  readonly locks: Pick<LockManager, 'request'> | undefined;
  /** What the tabs of the origin share; undefined where the page may not have it. Writing may still throw (it is full). */
  readonly storage: Pick<Storage, 'getItem' | 'setItem'> | undefined;
  /** `navigator.userAgent`, or ''. Only `engine.ts` reads it. */
  readonly userAgent: string;
  /** The page's URL, against which relative URLs are resolved and origins compared; undefined outside a page. */
  readonly baseUrl: string | undefined;
  /** Puts a span on the browser's own performance timeline; a no-op where there is none. */
  measure(name: string, startMs: number, endMs: number, detail: unknown): void;
  /** Where an exception of the app's own listener goes, so that it harms no other listener and is not swallowed. */
  reportError(error: unknown): void;
  /** Gives back what the environment itself holds. Called once, when the link that uses it has ended. */
  dispose?(): void;
}

/** Calls the app's code; what it throws is reported as uncaught, and goes no further. */
export function isolate(env: Pick<Env, 'reportError'>, call: () => void): void {
  try {
    call();
  } catch (error) {
    env.reportError(error);
  }
}

/** Loosely typed, so that other implementations than the browser's fit. */
export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => object;

/** What happens to the page, as far as a link cares. */
export type PageEvent =
  | 'online'
  | 'offline'
  /** Left, for the back/forward cache or for good. */
  | 'hide'
  /** Visible again. */
  | 'visible'
  /** Back from the back/forward cache. */
  | 'restored'
  /** Awake again after the browser froze it. */
  | 'resume'
  /** Touched by its user. */
  | 'active';

export interface Page {
  /** What the browser says. */
  online(): boolean;
  visible(): boolean;
  /** Subscribes to one page event; returns the way to unsubscribe. */
  on(event: PageEvent, fn: () => void): () => void;
}
