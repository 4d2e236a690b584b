import type { FailureKind } from './failure.ts';

/** One dial, from the decision to its outcome. Durations are in milliseconds, instants (`…At`) are Unix time in milliseconds. */
export interface AttemptReport {
  /** The address that was dialled, without userinfo, query and fragment; '' if a provider gave none. */
  readonly url: string;
  /** When the dial went out; if it never went out, when it was decided. */
  readonly startedAt: number;
  /** From the decision to dial until the dial went out: pacing, spread, the provider, the lock shared with other tabs. */
  readonly waitedMs: number;
  /** From the dial until its outcome. */
  readonly durationMs: number;
  /**
   * `open`: the dial became the connection in use. `cancelled`: it was not needed any more, because the old connection
   * answered or another dial won. Otherwise: how it failed.
   */
  readonly outcome: 'open' | 'cancelled' | FailureKind;
  /** True if the warm standby was promoted and nothing was dialled; absent otherwise. */
  readonly standby?: true;
}

/**
 * One HTTP request beside failing dials that asks why they fail. It uses another connection than the dials, so its answer
 * is evidence: it changes the pace of the dials and never ends the link.
 */
export interface ProbeReport {
  /** The address that was asked, without userinfo, query and fragment. */
  readonly url: string;
  /** When the request went out, Unix time in milliseconds. */
  readonly startedAt: number;
  /** Milliseconds from the request until its answer or failure; about `probe.timeoutMs` at most. */
  readonly durationMs: number;
  /** What the answer means. Branch on this field. */
  readonly verdict: ProbeVerdict;
  /** Where to look, in words for people. The text may change. */
  readonly advice: string;
  /** HTTP status, 100 to 599; absent where the browser hides it or nothing answered. */
  readonly status?: number;
  /**
   * Only with verdict `overloaded`: the server's Retry-After in milliseconds, 0 to 600 000. Another origin has to expose
   * the header by CORS.
   */
  readonly retryAfterMs?: number;
}

/** What the answer of a probe says about the way to the app. */
export type ProbeVerdict =
  /** Status 502, 503, 504 or 520 to 529: a gateway answers, the app behind it does not. */
  | 'gateway'
  /** Status 429, or 503 with a valid Retry-After: come back later. Dials wait for it, at most `policy.capMs`. */
  | 'overloaded'
  /** Status 401 or 403: the credentials are missing or have expired. The providers are asked for fresh ones. */
  | 'unauthorized'
  /** Status 404: the path is wrong, or a proxy does not know this host. */
  | 'not-found'
  /** Status 2xx, 400 or 426: an app answers on this path. If dials still fail, a proxy may strip the Upgrade header. */
  | 'healthy'
  /** Status 3xx: something answers and points elsewhere, for example to a login. WebSocket handshakes follow no redirect. */
  | 'redirected'
  /** No answer before the deadline, or the request failed: refused, reset, DNS or TLS. Script cannot tell which. */
  | 'unreachable'
  /** The request failed, and the browser says that there is no network. */
  | 'offline'
  /**
   * No evidence: a status without a meaning here, or an outcome that the browser hides (CORS, a Content-Security-Policy,
   * a service worker that answers with another page). A service worker that answers for this very URL goes unnoticed.
   */
  | 'unknown';

/**
 * The story of one failover, published by the `failover` event. It is frozen and fit for JSON. Durations are in
 * milliseconds, instants (`…At`) are Unix time in milliseconds. The same object is the `detail` of the measure `failover`
 * on the browser's performance timeline.
 *
 * @example
 * ws.on('failover', (report) => navigator.sendBeacon('/failovers', JSON.stringify(report)));
 */
export interface FailoverReport {
  /** Why the old connection was given up. */
  readonly cause: FailureKind;
  /** When the fault was noticed. */
  readonly startedAt: number;
  /** Silence before the fault was noticed; 0 if the socket's own end or a notice announced it. */
  readonly detectedAfterMs: number;
  /** The dials of this outage in order. At most 100: entries in the middle are dropped first. */
  readonly attempts: readonly AttemptReport[];
  /** The probes of this outage in order. At most 100: entries in the middle are dropped first. */
  readonly probes: readonly ProbeReport[];
  /** Node of the old connection, named by `identify` or by the server's notice; absent if unknown. */
  readonly fromNode?: string;
  /** Node of the new connection, named in the same way; absent if unknown. */
  readonly toNode?: string;
  /** From the moment the fault was noticed until the replacement was up. */
  readonly upAfterMs: number;
  /**
   * From the last frame on the old connection to the first frame on the new one, or to its opening if no frame has come.
   * 0 if the two overlapped.
   */
  readonly downMs: number;
  /** From the replacement being up until everything was replayed; with DDP, until every revived subscription was ready. */
  readonly replayMs: number;
  /** How many entries of `subscriptions`, or DDP subscriptions, were replayed. */
  readonly replayed: number;
  /** How many frames had waited in the queue and were sent on the new connection. */
  readonly queuedFlushed: number;
  /**
   * How many frames were handed to the old socket and may or may not have arrived. With DDP: how many calls reject with
   * `unconfirmed`.
   */
  readonly unconfirmedSends: number;
}
