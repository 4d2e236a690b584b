/**
 * What a browser engine does to WebSocket dials behind script's back. This table is the only place that asks which browser
 * it is. Measured 2026-11-22 with Chromium 156, Firefox ESR 153.7 and WebKitGTK 2.50.
 */
export interface Engine {
  /** Longest time the engine itself may hold a dial back before it reaches the network, ms. A deadline must exceed it. */
  addedDelayMs(history: DialHistory): number;
  /**
   * Handshakes to one host that script may abandon while they hang. With more, dials are left to the engine's own timeout.
   * Firefox leaks the TCP connection of each abandoned handshake. With 6 leaks to one host, counted over all tabs, no
   * WebSocket to it opens until the server closes one.
   */
  readonly freeAbandons: number;
  /** Abandoned handshakes with which a host is not dialled any more, until the server must have closed one. */
  readonly maxAbandons: number;
  /** A dial that hung for this long was given up by the engine itself, ms. That leaks as well and counts as abandoned. */
  readonly openTimeoutMs: number;
}

/** Handshakes of this link that the engine still remembers. Chromium counts the current and the previous 2-minute period. */
export interface DialHistory {
  /** Dials that failed within `ENGINE_MEMORY_MS`. */
  readonly failures: number;
  /** Dials that opened within `ENGINE_MEMORY_MS`. */
  readonly opens: number;
  /** Failures in a row. An open socket that ended uncleanly counts, as it does in Firefox. */
  readonly failuresInRow: number;
  /** True if every dial has a path of its own. Firefox keeps its penalty by host, path and port; the query does not count. */
  readonly freshPath: boolean;
}

/** Two of Chromium's 2-minute periods, the current and the previous one. */
export const ENGINE_MEMORY_MS = 240_000;

/**
 * Time after which a leaked connection is gone, ms: the server closes it. nginx and the cloud balancers cut a silent
 * connection after 60 s by default, HAProxy after 50 s in Debian's configuration. The rest is margin.
 */
export const LEAK_MS = 90_000;

/** For engines that free an abandoned handshake at once. */
const noLeak = { freeAbandons: Infinity, maxAbandons: Infinity, openTimeoutMs: Infinity };

const chromium: Engine = {
  // services/network/websocket_throttler.cc: rand(1000..5000) · 2^min(p + f/(s+1), 16) / 65536 ms, where p counts pending
  // dials (this one), f failed and s opened ones.
  addedDelayMs: ({ failures, opens }) =>
    (5_000 * 2 ** Math.min(1 + Math.floor(failures / (opens + 1)), 16)) / 65_536,
  ...noLeak,
};

const firefox: Engine = {
  // netwerk/protocol/websocket/WebSocketChannel.cpp: one failure is free, then 200 + rand(200) ms, ×1.5 for each, at most 60 s.
  addedDelayMs: ({ failuresInRow, freshPath }) =>
    freshPath || failuresInRow < 1 ? 0 : Math.min(400 * 1.5 ** (failuresInRow - 1), 60_000),
  freeAbandons: 3,
  maxAbandons: 5,
  // The preference network.websocket.timeout.open is 20 s. The second less covers the difference of the two clocks.
  openTimeoutMs: 19_000,
};

/** WebKit and every other engine: no delay of its own was measured, and nothing leaked. */
const other: Engine = { addedDelayMs: () => 0, ...noLeak };

/** Finds the engine by the user agent. Edge, Opera and others on Chromium name it there too. */
export const engineOf = (userAgent: string): Engine =>
  /Firefox\//.test(userAgent) ? firefox : /Chrom(e|ium)\//.test(userAgent) ? chromium : other;
