import { formatValue } from '../../shared/format-value.ts';
import { isFailoverError } from '../api/errors.ts';
import { failure, type Failure, type FailureKind } from '../api/failure.ts';

/** What the app's `close` event says. */
export interface CloseDetails {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** How a connection ended: the engine's close event, or what the handshake or the constructor threw. */
export interface ConnectionEnd extends CloseDetails {
  /** What the handshake, or the WebSocket constructor, threw. */
  readonly error?: unknown;
}

/** How a connection ends for the app when its peer sent no close frame. */
export const NO_CLOSE_FRAME: CloseDetails = { code: 1006, reason: '', wasClean: false };

/** The `close` event of a failure. One without a close code came from us: the app sees what it sees of a dead connection. */
export const closeDetailsOf = ({ code, reason, wasClean }: Failure): CloseDetails =>
  code || wasClean ? { code, reason, wasClean } : NO_CLOSE_FRAME;

/** How far a socket had come when it ended. */
export type Phase = 'dialling' | 'open';

/**
 * Close codes that say more than "closed" (RFC 6455, section 7.4, and the IANA registry). Every other code is `closed`: the server
 * ended the connection, the app did not ask for it, so the link dials again. Those are 1000 normal, 1002, 1003, 1007, 1009 and 1010
 * protocol faults, 1005 no code, 1008 policy (often authorisation, but not reliably), and 3000 to 4999, the app's own.
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

/**
 * Classifies the end of a socket: by phase first, then by code. Before `open` the code says nothing: it is 1006, or 1015 for TLS in
 * Firefox. After `open`, 1005, 1006 and 1015 come from the engine and the rest from the server. WebKit shows 1012 and 1013 as 1006.
 */
export const classifyClose = (phase: Phase, code: number, reason: string, wasClean = false): Failure => ({
  kind: phase === 'dialling' ? 'refused' : (CLOSE_KINDS[code] ?? 'closed'),
  code,
  reason,
  wasClean,
});

/** What a failure means for pacing. */
export interface FailureTraits {
  /** Somebody answered the dial at once: a later hang is then probably a survivor's queue rather than a black hole. */
  readonly isFast: boolean;
  /** The dial was still hanging when it was given up. */
  readonly isHang: boolean;
  /** To dial again at once cannot help. */
  readonly needsPause: boolean;
}

const NONE: FailureTraits = { isFast: false, isHang: false, needsPause: false };

/** A new kind of failure breaks the build here until somebody has decided what it means. */
export const FAILURE_TRAITS: Readonly<Record<FailureKind, FailureTraits>> = {
  refused: { ...NONE, isFast: true },
  timeout: { ...NONE, isHang: true },
  handshake: NONE,
  provider: { ...NONE, needsPause: true },
  lost: NONE,
  closed: NONE,
  drain: NONE,
  overloaded: { ...NONE, isFast: true, needsPause: true },
  unauthorized: { ...NONE, needsPause: true },
  silent: NONE,
  suspended: NONE,
  manual: NONE,
};

/** Classifies the end of a connection, or of the attempt to make one, including what a handshake or a constructor threw. */
export function classify(opened: boolean, { code, reason, wasClean, error }: ConnectionEnd): Failure {
  if (error === undefined) return classifyClose(opened ? 'open' : 'dialling', code, reason, wasClean);
  // A handshake that throws a FailoverError `unauthorized` asks for fresh credentials.
  const wantsFreshCredentials = isFailoverError(error) && error.kind === 'unauthorized';
  return failure(
    !opened ? 'refused' : wantsFreshCredentials ? 'unauthorized' : 'handshake',
    formatValue(error),
  );
}
