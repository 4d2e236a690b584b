import { formatValue } from '../../shared/format-value.ts';
import { isFailoverError } from '../api/errors.ts';
import { failure, type Failure, type FailureKind } from '../api/failure.ts';

/** How a socket ended, as its engine tells it. */
export interface ConnectionEnd {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  /** What the handshake, or the WebSocket constructor, threw. */
  readonly error?: unknown;
}

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

/** Classifies the end of a connection, or of the attempt to make one, including what a handshake or a constructor threw. */
export function classify(opened: boolean, { code, reason, error }: ConnectionEnd): Failure {
  if (error === undefined) return classifyClose(opened ? 'open' : 'dialling', code, reason);
  // A handshake that throws a FailoverError `unauthorized` asks for fresh credentials.
  const refused = isFailoverError(error) && error.kind === 'unauthorized';
  return failure(!opened ? 'refused' : refused ? 'unauthorized' : 'handshake', formatValue(error));
}
