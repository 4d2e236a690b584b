/**
 * Why a connection, or the attempt to make one, ended. Events, reports, providers and pacing share this one taxonomy.
 */
export type FailureKind =
  /**
   * A dial ended before it was open: HTTP 502, connection refused or reset, DNS, TLS, or a WebSocket constructor that
   * threw. Script cannot tell these apart: all are close code 1006, TLS in Firefox 1015 (measured 2026-11-22 with
   * Chromium 156, Firefox ESR 153.7 and WebKitGTK 2.50).
   */
  | 'refused'
  /** A dial was still hanging at its deadline, or opened beside a working connection and had not answered by then. */
  | 'timeout'
  /** The app's `handshake` rejected, or took longer than `policy.deadlineCapMs`. */
  | 'handshake'
  /** A URL or protocol provider threw, gave a bad address, or took longer than `policy.deadlineCapMs`. */
  | 'provider'
  /** An open connection ended without a close frame (1006), or with a code for a broken server (1011, 1014, 1015). */
  | 'lost'
  /** An open connection ended with any other close code. */
  | 'closed'
  /** The server goes away (close code 1001), restarts (1012), or sent a drain notice. */
  | 'drain'
  /** The server asks to come back later (close code 1013). The next dial waits. */
  | 'overloaded'
  /**
   * The app's `handshake` rejected with a FailoverError of this kind. As the `cause` of a dial it also means that a probe
   * got 401 or 403 while every dial failed. The providers are asked for fresh credentials, and the next dial waits.
   */
  | 'unauthorized'
  /** An open connection did not answer the heartbeat in time. */
  | 'silent'
  /** The page was left or came back from the back/forward cache. Its socket is dead, although it may still look open. */
  | 'suspended'
  /** The app called `reconnect()`. */
  | 'manual';

/** How a connection ended. The `down` event carries it. */
export interface Failure {
  /** What the end means. Branch on this field. */
  readonly kind: FailureKind;
  /** Close code as the engine reported it; 0 if no close code was involved. */
  readonly code: number;
  /** Reason of the close frame, or the text of an error; '' if there is none. */
  readonly reason: string;
  /** True if the peer ended the connection with a close frame; false if no close code was involved. */
  readonly wasClean: boolean;
}

/** Makes a failure in which no close code is involved. */
export const failure = (kind: FailureKind, reason = ''): Failure => ({
  kind,
  code: 0,
  reason,
  wasClean: false,
});
