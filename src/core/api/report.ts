import type { FailureKind } from './failure.ts';

/** One dial of an outage, from the decision to its outcome. Times in ms; instants are Unix time. */
export interface AttemptReport {
  /** Without userinfo and query. */
  readonly url: string;
  readonly startedAt: number;
  /** Time between the decision to dial and the dial: pacing, spread, a lock. */
  readonly waitedMs: number;
  /** From the dial to its outcome. */
  readonly durationMs: number;
  /** 'open' for the one that succeeded, 'cancelled' when the old link came back first. */
  readonly outcome: 'open' | 'cancelled' | FailureKind;
  /** It was the warm standby: no dial, only its promotion. */
  readonly standby?: true;
}

/** One HTTP probe beside the dials. It speaks of another connection than theirs: evidence, never a verdict on the link. */
export interface ProbeReport {
  readonly url: string;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly verdict: ProbeVerdict;
  /** What to look at, in words for people. */
  readonly advice: string;
  /** HTTP status, where the browser lets script see it. */
  readonly status?: number;
  /** With `overloaded`: the server's Retry-After, 0 to 600 000 ms. Other origins have to expose the header. */
  readonly retryAfterMs?: number;
}

/** What a probe's answer says about the way to the app. */
export type ProbeVerdict =
  /** 502, 503, 504, 520–529: a gateway answers, the app behind it does not. */
  | 'gateway'
  /** 429, or 503 with a Retry-After that makes sense: come back later. */
  | 'overloaded'
  /** 401, 403. */
  | 'unauthorized'
  /** 404: wrong path, or a proxy that does not know this host. */
  | 'not-found'
  /** 2xx, 400, 426: an app answers on this path. */
  | 'healthy'
  /** 3xx: something answers and points elsewhere, say to a login. WebSocket handshakes follow no redirect. */
  | 'redirected'
  /** No HTTP answer before the probe's deadline, or the request failed: refused, reset, DNS or TLS, script cannot tell which. */
  | 'unreachable'
  /** The request failed, and the browser says that there is no network. */
  | 'offline'
  /**
   * No evidence: a status with no meaning here, or an outcome that the browser hides: CORS, a Content-Security-Policy, a
   * service worker that answers with a page of its own. (One that makes up an answer for this very URL is not noticed.)
   */
  | 'unknown';

/** The story of one failover: one JSON-safe object. All durations in ms, `…At` in Unix time (ms). */
export interface FailoverReport {
  /** Why the old connection was given up. */
  readonly cause: FailureKind;
  /** When it was noticed. */
  readonly startedAt: number;
  /** Silence before it was noticed: 0 when the socket's own end told us. */
  readonly detectedAfterMs: number;
  readonly attempts: readonly AttemptReport[];
  readonly probes: readonly ProbeReport[];
  /** Names given by `identify`, or by the server's own notice. */
  readonly fromNode?: string;
  readonly toNode?: string;
  /** From the notice to the replacement being up. */
  readonly upAfterMs: number;
  /** Last message on the old connection to first on the new one (to its `open` where the server says nothing). */
  readonly downMs: number;
  /** From the replacement being up to everything replayed (for DDP: every revived subscription ready). */
  readonly replayMs: number;
  /** Frames or subscriptions replayed. */
  readonly replayed: number;
  /** Sends that had waited and were sent on the new connection. */
  readonly queuedFlushed: number;
  /** Frames handed to the old socket of which nobody knows whether they arrived. For DDP: calls that reject with `unconfirmed`. */
  readonly unconfirmedSends: number;
}
