import { LEAK_MS, type Engine } from './engines.ts';
import type { Env } from './env.ts';

/** Handshakes that were abandoned while they hung, whose connections the engine may still hold, by host. */
export interface AbandonedHandshakes {
  /** When, on the env's clock, oldest first: those of this tab and, where they share storage, of every tab of the origin. */
  of(host: string): readonly number[];
  add(host: string): void;
}

/**
 * Tabs share the engine's limit, so they share the count: in the origin's storage, which is read before every dial and
 * written after every abandon. The Web Lock keeps two tabs from doing so at once. Nothing is kept for engines without a
 * limit. What the storage holds is no more trusted than anything else from outside.
 */
export function createAbandonedHandshakes(env: Env, { maxAbandons }: Engine): AbandonedHandshakes {
  // Asked at every event: where nothing leaks the storage is left alone.
  if (maxAbandons === Infinity) return { of: () => [], add() {} };
  /** Not any more once it cannot be written: what it holds then is old. */
  let { storage } = env;
  /** For a tab that has no storage. */
  const own: Record<string, string> = {};
  const key = (host: string) => `failover-websocket:${host}`;
  const of = (host: string): number[] => {
    try {
      const all = JSON.parse(storage?.getItem(key(host)) ?? own[host]!) as number[];
      // As they were written: one of this very moment, told from the origin, may be rounded to a little later.
      const now = env.timeOrigin + env.now();
      return all
        .filter((at) => at <= now && now - at < LEAK_MS)
        .map((at) => at - env.timeOrigin)
        .slice(-maxAbandons);
    } catch {
      // Nothing yet, or nothing of ours.
      return [];
    }
  };
  return {
    of,
    add(host) {
      own[host] = JSON.stringify([...of(host), env.now()].map((at) => env.timeOrigin + at));
      try {
        storage?.setItem(key(host), own[host]);
      } catch {
        storage = undefined;
      }
    },
  };
}
