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

/** How far a socket had come when it ended. */
export type Phase = 'dialling' | 'open';

/**
 * Classifies the end of a socket: by phase first, then by code. Before `open` the code says nothing (every cause is 1006,
 * or 1015 in Firefox for TLS); after it the code is the server's word, except in WebKit, which shows 1012/1013 as 1006.
 */
export function classifyClose(phase: Phase, code: number, reason: string): Failure {
  return { kind: phase === 'dialling' ? 'refused' : closeKind(code), code, reason };
}

function closeKind(code: number): FailureKind {
  switch (code) {
    case 1001: // going away: server shutting down, RFC 6455 7.4.1
    case 1012: // service restart, IANA registry
      return 'drain';
    case 1013: // try again later, IANA registry
      return 'overloaded';
    case 1000: // a normal close is still no wish of the app's: it will dial again
    case 1002: // protocol error
    case 1003: // unsupported data
    case 1007: // invalid payload
    case 1008: // policy violation: often, not reliably, authorisation
    case 1009: // message too big
    case 1010: // missing extension
      return 'closed';
    case 1006: // no close frame
    case 1011: // internal error
    case 1014: // bad gateway
    case 1015: // TLS
      return 'lost';
    default:
      return code >= 3000 && code <= 4999 ? 'closed' : 'lost';
  }
}

/** Did this dial fail fast, that is, did somebody answer? Then a later hang is probably a survivor's queue (DESIGN 3). */
export const failedFast = (kind: FailureKind): boolean => kind === 'refused' || kind === 'overloaded';
