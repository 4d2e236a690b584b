import type { Env, PageEvent } from './env.ts';
import { createTimers } from './worker-timers.ts';

/** The DOM's name for a page event, where it differs. */
const DOM_TYPES: Partial<Record<PageEvent, string>> = {
  hide: 'pagehide',
  visible: 'visibilitychange',
  restored: 'pageshow',
  active: 'pointerdown',
};

/**
 * Reads what a page may be forbidden to touch. Mere access can throw, as `localStorage` does in a sandboxed frame; in some
 * embedded browsers the value is null.
 */
function allowed<T>(get: () => T): T | undefined {
  try {
    return get() ?? undefined;
  } catch {
    return undefined;
  }
}

/** Makes the environment of a browser page. Outside a page (Node, workers) what is missing is undefined. */
export function browserEnv(): Env {
  const world: Partial<typeof globalThis> = globalThis;
  const visible = () => world.document?.visibilityState !== 'hidden';
  return {
    now: () => performance.now(),
    timeOrigin: performance.timeOrigin,
    ...createTimers(globalThis, () => !visible()),
    random: () => Math.random(),
    WebSocket: world.WebSocket,
    // Bound, because fetch throws "Illegal invocation" when it is called as a method of another object.
    fetch: world.fetch?.bind(world),
    subtle: world.crypto?.subtle,
    locks: allowed(() => world.navigator?.locks),
    // Read from `window`, because Node's own localStorage warns on access.
    storage: allowed(() => world.window?.localStorage),
    userAgent: world.navigator?.userAgent ?? '',
    baseUrl: world.location?.href,
    measure(name, start, end, detail) {
      // Engines without User Timing Level 3 throw on the options object. The span is a courtesy and must not fail a failover.
      try {
        // Only the last span stays, because a page that lives for days must not collect them.
        performance.clearMeasures(name);
        performance.measure(name, { start, end, detail });
      } catch {
        /* no timeline here */
      }
    },
    reportError:
      world.reportError?.bind(world) ??
      ((error) =>
        queueMicrotask(() => {
          throw error;
        })),
    page: {
      online: () => world.navigator?.onLine !== false,
      visible,
      on(event, fn) {
        const listener = (e: Event) => {
          const wanted =
            event === 'visible' ? visible() : event !== 'restored' || (e as PageTransitionEvent).persisted;
          if (wanted) fn();
        };
        const type = DOM_TYPES[event] ?? event;
        // A capturing listener at the window also sees the document's events, even those that do not bubble (`resume`).
        world.addEventListener?.(type, listener, true);
        return () => world.removeEventListener?.(type, listener, true);
      },
    },
  };
}
