import { LEAK_MS, type Engine } from './engine.ts';
import type { Env } from './env.ts';

/** Handshakes that were abandoned while they hung, whose connections the engine may still hold, by host. */
export interface Leaks {
  /** When, on the env's clock, oldest first: those of this tab and, where they share storage, of every tab of the origin. */
  of(host: string): readonly number[];
  add(host: string): void;
}

/**
 * Tabs share the engine's limit, so they share the count: in the origin's storage, which is read before every dial and
 * written after every abandon. The Web Lock keeps two tabs from doing so at once. Nothing is kept for engines without a
 * limit. What the storage holds is no more trusted than anything else from outside.
 */
export function createLeaks(env: Env, { maxAbandons }: Engine): Leaks {
  const own = new Map<string, readonly number[]>();
  const key = (host: string) => `failover-websocket:leaks:${host}`;
  const of = (host: string): readonly number[] => {
    let shared: unknown;
    try {
      shared = JSON.parse(env.storage?.getItem(key(host)) ?? '');
    } catch {
      // nothing yet, or nothing of ours
    }
    const now = env.now();
    return (
      Array.isArray(shared) ? shared.map((at) => (at as number) - env.timeOrigin) : (own.get(host) ?? [])
    )
      .filter((at) => at <= now && now - at < LEAK_MS)
      .slice(-maxAbandons);
  };
  return {
    of,
    add(host) {
      if (maxAbandons === Infinity) return;
      const all = [...of(host), env.now()];
      own.set(host, all);
      try {
        env.storage?.setItem(key(host), JSON.stringify(all.map((at) => env.timeOrigin + at)));
      } catch {
        // Full, or forbidden: this tab knows at least of its own.
      }
    },
  };
}
