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
}

/** One in which no close code was involved. */
export const failure = (kind: FailureKind, reason = ''): Failure => ({ kind, code: 0, reason });

/** How far a socket had come when it ended. */
export type Phase = 'dialling' | 'open';

/**
 * Classifies the end of a socket: by phase first, then by code. Before `open` the code says nothing (every cause is 1006,
 * or 1015 in Firefox for TLS); after it the code is the server's word, except in WebKit, which shows 1012/1013 as 1006.
 */
export const classifyClose = (phase: Phase, code: number, reason: string): Failure => ({
  kind: phase === 'dialling' ? 'refused' : (CLOSE_KINDS[code] ?? 'closed'),
  code,
  reason,
});

/**
 * Codes that say more than "closed" (RFC 6455 7.4, IANA registry). The rest is an orderly end and no wish of the app's, so
 * it is dialled again: 1000 normal, 1002, 1003, 1007, 1009, 1010 protocol faults, 1005 no code, 1008 policy (often, not
 * reliably, authorisation), 3000–4999 the app's own.
 */
const CLOSE_KINDS: Partial<Record<number, FailureKind>> = {
  1001: 'drain', // going away
  1006: 'lost', // no close frame
  1011: 'lost', // internal error
  1012: 'drain', // service restart
  1013: 'overloaded', // try again later
  1014: 'lost', // bad gateway
  1015: 'lost', // TLS
};

/** Did this dial fail fast, that is, did somebody answer? Then a later hang is probably a survivor's queue (DESIGN 3). */
export const failedFast = (kind: FailureKind): boolean => kind === 'refused' || kind === 'overloaded';
