/**
 * The one door to the outside world. Everything the library takes from it (clock, timers, randomness, sockets, fetch, page
 * events) comes through an `Env`, so that tests and the simulator run the real code in a world of their own making.
 */
export interface Env {
  /** Monotonic milliseconds; with `timeOrigin` added, Unix time in milliseconds. */
  now(): number;
  /** Unix time in milliseconds at which `now()` was 0. */
  readonly timeOrigin: number;
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Uniform in [0, 1). */
  random(): number;
  /** The native class, or one that behaves like it (`ws` in Node 20). */
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly fetch: typeof fetch | undefined;
  readonly page: Page;
  /** `navigator.userAgent`, or ''. Only `engine.ts` reads it. */
  readonly userAgent: string;
  /** The page's URL, against which relative URLs are resolved and origins compared; undefined outside a page. */
  readonly baseUrl: string | undefined;
  /** Puts a span on the browser's own performance timeline; a no-op where there is none. */
  measure(name: string, startMs: number, endMs: number, detail: unknown): void;
  /** Where an exception of the app's own listener goes, so that it harms no other listener and is not swallowed. */
  reportError(error: unknown): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocket;

/** What happens to the page, as far as a link cares. */
export type PageEvent =
  'online' | 'offline' | 'visible' | 'hidden' | 'hide' | 'restored' | 'resume' | 'active';

export interface Page {
  /** What the browser says. Its `false` is only believed until a dial succeeds. */
  online(): boolean;
  visible(): boolean;
  /** Subscribes to one page event; returns the way to unsubscribe. */
  on(event: PageEvent, fn: () => void): () => void;
}

/** DOM event behind each page event; `pageshow` counts only when the page came back from the back/forward cache. */
const DOM_EVENTS: Record<
  PageEvent,
  readonly [type: string, on: 'window' | 'document', when?: (e: Event) => boolean]
> = {
  online: ['online', 'window'],
  offline: ['offline', 'window'],
  visible: ['visibilitychange', 'document', () => document.visibilityState === 'visible'],
  hidden: ['visibilitychange', 'document', () => document.visibilityState === 'hidden'],
  hide: ['pagehide', 'window'],
  restored: ['pageshow', 'window', (e) => (e as PageTransitionEvent).persisted],
  resume: ['resume', 'document'],
  active: ['pointerdown', 'window'],
};

/** The environment of a browser page; outside one (Node, workers) whatever is missing is simply absent. */
export function browserEnv(): Env {
  const hasDocument = typeof document !== 'undefined';
  return {
    now: () => performance.now(),
    timeOrigin: performance.timeOrigin,
    setTimeout: (fn, ms) => setTimeout(fn, ms),
    clearTimeout: (timer) => clearTimeout(timer as number),
    random: () => Math.random(),
    WebSocket: globalThis.WebSocket,
    // Bound: a bare reference to fetch throws "Illegal invocation" when called as a method of another object.
    fetch: typeof fetch === 'function' ? (input, init) => fetch(input, init) : undefined,
    userAgent: typeof navigator === 'undefined' ? '' : navigator.userAgent,
    baseUrl: typeof location === 'undefined' ? undefined : location.href,
    measure(name, start, end, detail) {
      // Engines without User Timing level 3 throw on the options object; the span is a courtesy, never a failure.
      try {
        performance.measure(name, { start, end, detail });
      } catch {
        /* no timeline here */
      }
    },
    reportError(error) {
      if (typeof reportError === 'function') reportError(error);
      else
        queueMicrotask(() => {
          throw error;
        });
    },
    page: {
      online: () => typeof navigator === 'undefined' || navigator.onLine !== false,
      visible: () => !hasDocument || document.visibilityState !== 'hidden',
      on(event, fn) {
        if (!hasDocument) return () => {};
        const [type, on, when] = DOM_EVENTS[event];
        const target = on === 'window' ? window : document;
        const listener = (e: Event) => {
          if (!when || when(e)) fn();
        };
        target.addEventListener(type, listener, { passive: true });
        return () => target.removeEventListener(type, listener);
      },
    },
  };
}
