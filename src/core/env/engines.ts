/**
 * What browser engines do to WebSocket dials behind script's back. One table; nothing else asks which browser this is.
 * Measured 2026-11-22 with Chromium 156, Firefox ESR 153.7 and WebKitGTK 2.50.
 */
export interface Engine {
  /** Most the engine may wait by itself before a dial reaches the network, ms. A deadline must exceed it. */
  addedDelayMs(history: DialHistory): number;
  /**
   * Handshakes script may abandon before the engine refuses to open any more: Firefox leaks the TCP connection of each and
   * stops at 6 to one host, counted for the whole browser. After so many only the engine itself gives up.
   */
  readonly freeAbandons: number;
  /** With so many abandoned this host is not dialled until the server must have closed one. */
  readonly maxAbandons: number;
  /** A dial that hung so long was given up by the engine itself, which counts as abandoned, ms. */
  readonly openTimeoutMs: number;
}

/** Handshakes of this link in the engine's memory: Chromium counts the current and the previous 2-minute period. */
export interface DialHistory {
  readonly failures: number;
  readonly opens: number;
  /** Failures in a row, an unclean drop included. */
  readonly failuresInRow: number;
  /** Every dial has a path of its own: Firefox keys its penalty by host, path and port. */
  readonly freshPath: boolean;
}

/** Two of Chromium's 2-minute periods. */
export const ENGINE_MEMORY_MS = 240_000;

/**
 * A leaked connection is gone when the server closes it: nginx, HAProxy and the cloud balancers cut a silent one after
 * 60 s by default.
 */
export const LEAK_MS = 90_000;

/** Engines that free an abandoned handshake at once. */
const patient = { freeAbandons: Infinity, maxAbandons: Infinity, openTimeoutMs: Infinity };

const chromium: Engine = {
  // services/network/websocket_throttler.cc: rand(1000..5000) · 2^min(p + f/(s+1), 16) / 65536, p = this one pending
  addedDelayMs: ({ failures, opens }) =>
    (5_000 * 2 ** Math.min(1 + Math.floor(failures / (opens + 1)), 16)) / 65_536,
  ...patient,
};

const firefox: Engine = {
  // netwerk/protocol/websocket/WebSocketChannel.cpp: one failure is free, then 200 + rand(200) ms, ×1.5, at most 60 s
  addedDelayMs: ({ failuresInRow, freshPath }) =>
    freshPath || failuresInRow < 1 ? 0 : Math.min(400 * 1.5 ** (failuresInRow - 1), 60_000),
  freeAbandons: 3,
  maxAbandons: 5,
  openTimeoutMs: 19_000, // network.websocket.timeout.open is 20 s; their timer and our clock are not the same
};

/** WebKit, and whatever else there is: no delay of its own, nothing leaks. */
const other: Engine = { addedDelayMs: () => 0, ...patient };

export const engineOf = (userAgent: string): Engine =>
  /Firefox\//.test(userAgent) ? firefox : /Chrom(e|ium)\//.test(userAgent) ? chromium : other;
