import type { FailoverError } from '../core/api/errors.ts';
import type { FailoverEvents, Stats } from '../core/api/events.ts';

/** Warnings of DDP itself, beside the link's own. */
export type DDPWarningKind =
  /** `quiescenceTimeoutMs` is over and some subscriptions are not ready again. Documents are shown as far as they are known. */
  | 'quiescence'
  /** The server sent a message of a kind this client does not know. It was dropped and counted (`unknownMessages`). */
  | 'notice';

type LinkWarning = FailoverEvents['warning'][0];

/** The link's events, and `error`. */
export interface DDPEvents extends Omit<FailoverEvents, 'warning'> {
  /** Something works less well than it should. `kind` says what, `message` explains it. */
  warning: [warning: Omit<LinkWarning, 'kind'> & { readonly kind: LinkWarning['kind'] | DDPWarningKind }];
  /**
   * Something went wrong that no promise reports. The connection is kept, except where noted. By `kind`:
   * - `malformed`: a frame or a result could not be read. It was dropped and counted (`malformedFrames`).
   * - `server`: the server ended a subscription that was ready (then the error is a DDPError), or it rejected a message.
   * - `handshake`: the login could not be resumed; if the server refused the token (403), it is forgotten. Or client and server
   *   have no version of DDP in common; then the client is closed.
   */
  error: [error: FailoverError];
}

/** Counters since the client was made. */
export interface DDPStats extends Stats {
  /** Frames and results that could not be read. They were dropped; a call with such a result rejects. */
  readonly malformedFrames: number;
  /** Well-formed messages of a kind this client does not know. They were dropped. */
  readonly unknownMessages: number;
}
