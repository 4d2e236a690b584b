import type { FailoverError } from '../core/api/errors.ts';
import type { FailoverEvents, Stats } from '../core/api/events.ts';

/** What DDP itself warns about, beside the link's own warnings. */
export type DDPWarningKind =
  /** `quiescenceTimeoutMs` is over and some subscriptions are not ready again: documents are shown as far as they are known. */
  | 'quiescence'
  /** The server sent a message of a kind this client does not know. It was dropped and counted. */
  | 'notice';

type LinkWarning = FailoverEvents['warning'][0];

/** The link's events, and `error`. */
export interface DDPEvents extends Omit<FailoverEvents, 'warning'> {
  warning: [warning: Omit<LinkWarning, 'kind'> & { readonly kind: LinkWarning['kind'] | DDPWarningKind }];
  /**
   * Something the app did not ask for directly went wrong; the connection is kept. By `kind`: `malformed` (a frame was dropped
   * and counted), `server` (the server ended a subscription that was ready, or complains about a message), `handshake` (a login
   * could not be resumed, its token is forgotten; or no common version of DDP: then the client is closed).
   */
  error: [error: FailoverError];
}

export interface DDPStats extends Stats {
  /** Frames that were dropped because DDP does not allow them, or because they speak of a document that is not there. */
  readonly malformedFrames: number;
  /** Well-formed messages of a kind this client does not know. */
  readonly unknownMessages: number;
}
