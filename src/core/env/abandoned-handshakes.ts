import { LEAK_MS, type Engine } from './engines.ts';
import type { Env } from './env.ts';

/** Handshakes that were abandoned while they hung. The engine may still hold their connections. Counted by host. */
export interface AbandonedHandshakes {
  /**
   * Returns when handshakes to a host were abandoned, on the env's clock, oldest first: by this tab and, where they share
   * storage, by every tab of the origin.
   */
  of(host: string): readonly number[];
  /** Notes that a handshake to a host is abandoned now. */
  add(host: string): void;
}

/**
 * Counts abandoned handshakes. Tabs share the engine's limit, so they share the count: it is in the origin's storage, read
 * before every dial and written at every abandon. The Web Lock that a dial holds keeps two tabs from writing at once.
 * Nothing is counted for engines without a limit. What the storage holds comes from outside and is not trusted.
 */
export function createAbandonedHandshakes(env: Env, { maxAbandons }: Engine): AbandonedHandshakes {
  // `of` is called at every event; where nothing leaks it must cost nothing and leave the storage alone.
  if (maxAbandons === Infinity) return { of: () => [], add() {} };
  /** Undefined once it cannot be written, because what it holds is outdated from then on. */
  let { storage } = env;
  /** What a tab without storage counts, in the same form. */
  const own: Record<string, string> = {};
  const key = (host: string) => `failover-websocket:${host}`;
  const of = (host: string): number[] => {
    try {
      const all = JSON.parse(storage?.getItem(key(host)) ?? own[host]!) as number[];
      // Compared in Unix time, as it was written: converting a time of this very moment may round it into the future.
      const now = env.timeOrigin + env.now();
      return all
        .filter((at) => at <= now && now - at < LEAK_MS)
        .map((at) => at - env.timeOrigin)
        .slice(-maxAbandons);
    } catch {
      // Nothing is stored yet, or something that another script wrote.
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
