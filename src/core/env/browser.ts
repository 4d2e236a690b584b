import type { Env, PageEvent } from './env.ts';
import { createTimers } from './worker-timers.ts';

/** The DOM's name of a page event where it is another. */
const DOM_TYPES: Partial<Record<PageEvent, string>> = {
  hide: 'pagehide',
  visible: 'visibilitychange',
  restored: 'pageshow',
  active: 'pointerdown',
};

/** What a page may not touch throws at the mere access, as `localStorage` does in a sandbox; in some it is null. */
function allowed<T>(get: () => T): T | undefined {
  try {
    return get() ?? undefined;
  } catch {
    return undefined;
  }
}

/** The environment of a browser page; outside one (Node, workers) whatever is missing is simply absent. */
export function browserEnv(): Env {
  const world: Partial<typeof globalThis> = globalThis;
  const visible = () => world.document?.visibilityState !== 'hidden';
  return {
    now: () => performance.now(),
    timeOrigin: performance.timeOrigin,
    ...createTimers(globalThis, () => !visible()),
    random: () => Math.random(),
    WebSocket: world.WebSocket,
    // Bound: a bare reference to fetch throws "Illegal invocation" when called as a method of another object.
    fetch: world.fetch?.bind(world),
    subtle: world.crypto?.subtle,
    locks: allowed(() => world.navigator?.locks),
    // Of `window`: Node's own localStorage warns when it is looked at.
    storage: allowed(() => world.window?.localStorage),
    userAgent: world.navigator?.userAgent ?? '',
    baseUrl: world.location?.href,
    measure(name, start, end, detail) {
      // Engines without User Timing level 3 throw on the options object; the span is a courtesy, never a failure.
      try {
        // The last one stays: a page that lives long collects none.
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
        // Capturing at the window sees the document's events too, also those that do not bubble (`resume`).
        world.addEventListener?.(type, listener, true);
        return () => world.removeEventListener?.(type, listener, true);
      },
    },
  };
}
