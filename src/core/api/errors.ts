/** What went wrong, for callers to branch on. Message text is for people and may change. */
export type ErrorKind =
  /** A bounded queue is full: the frame or call that did not fit was refused, nothing else was lost. */
  | 'overflow'
  /** The link was closed by `close()` while something still waited for it. */
  | 'closed'
  /** A call, handshake or login took longer than its documented limit. */
  | 'timeout'
  /** An AbortSignal ended the wait. */
  | 'aborted'
  /** A call with `retry: false` was on a socket that died: it may or may not have run on the server. */
  | 'unconfirmed'
  /** The `handshake` or `login` was refused by the server. */
  | 'handshake'
  /** A URL or protocol provider threw although it was asked because of an authorisation failure: the link ends. */
  | 'unauthorized'
  /** The policy's `maxAttempts` is used up: the link ends. */
  | 'exhausted'
  /** A frame from the server that its protocol does not allow; it was dropped and counted, the connection kept. */
  | 'malformed'
  /** The server answered a method or subscription with an error. */
  | 'server'
  /** This environment lacks something the library needs (say, a WebSocket class). */
  | 'unsupported';

/** Every error of this library that is not an argument error (those are `RangeError`, `TypeError` or a `SyntaxError` DOMException). */
export class FailoverError extends Error {
  override readonly name: string = 'FailoverError';
  constructor(
    readonly kind: ErrorKind,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Type guard, for a DDPError too, that also holds across two copies of the library on one page, where `instanceof` does not. */
export const isFailoverError = (e: unknown): e is FailoverError =>
  e instanceof Error &&
  /^(Failover|DDP)Error$/.test(e.name) &&
  typeof (e as { kind?: unknown }).kind === 'string';
