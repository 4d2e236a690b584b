/** Every way a connection, or the try to make one, can end. One taxonomy for events, reports, providers and pacing. */
export type FailureKind =
  /** A dial ended before it was open: 502, refused, reset, DNS, TLS. Script cannot tell these apart (FACTS: all are 1006). */
  | 'refused'
  /** A dial was still hanging at its deadline. */
  | 'timeout'
  /** The app's `handshake` failed or took too long. */
  | 'handshake'
  /** A URL or protocol provider threw. */
  | 'provider'
  /** An open connection ended without a close frame (1006), or with one that says the server broke (1011, 1014, 1015 …). */
  | 'lost'
  /** The server ended an open connection in an orderly way. */
  | 'closed'
  /** The server is going away (1001), restarts (1012), or sent a drain notice. */
  | 'drain'
  /** The server asks to come back later (1013). */
  | 'overloaded'
  /** 401 or 403, from the handshake or while every dial fails. */
  | 'unauthorized'
  /** An open connection stopped answering. */
  | 'silent'
  /** The page came back from the back/forward cache or from sleep: its socket is dead although it looks open. */
  | 'suspended'
  /** The app asked for it with `reconnect()`. */
  | 'manual';

export interface Failure {
  readonly kind: FailureKind;
  /** Close code as the engine gave it; 0 where no socket was involved. */
  readonly code: number;
  readonly reason: string;
  /** The peer ended it with a close frame; false where no socket was involved. */
  readonly wasClean: boolean;
}

/** One in which no close code was involved. */
export const failure = (kind: FailureKind, reason = ''): Failure => ({
  kind,
  code: 0,
  reason,
  wasClean: false,
});
