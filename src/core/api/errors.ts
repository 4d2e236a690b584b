/** What went wrong, for callers to branch on. The message of an error is for people and may change. */
export type ErrorKind =
  /** A bounded queue is full. The frame or call that did not fit was refused; nothing else was lost. */
  | 'overflow'
  /** The link or client was closed while something still waited for it, or a handshake's connection had ended. */
  | 'closed'
  /** A DDP call took longer than its `timeoutMs`. */
  | 'timeout'
  /** An AbortSignal ended a DDP call, or `stop()` ended a subscription before it was ready. */
  | 'aborted'
  /** A DDP call with `retry: false` was on a socket that died: the server may or may not have run it. */
  | 'unconfirmed'
  /** The server refused to resume a DDP login, or shares no version of the protocol with this client. */
  | 'handshake'
  /**
   * A URL or protocol provider was asked for fresh credentials (cause `unauthorized`) and threw: the link ends. An app's
   * `handshake` throws this kind itself to ask for fresh credentials.
   */
  | 'unauthorized'
  /** All dials that `policy.maxAttempts` allows have failed: the link ends. */
  | 'exhausted'
  /** The server sent a frame that its protocol does not allow. It was dropped and counted; the connection stays. */
  | 'malformed'
  /** The server answered a DDP method or subscription with an error. */
  | 'server'
  /** This environment lacks something that the library needs, for example a WebSocket class. */
  | 'unsupported';

/**
 * Base class of the library's errors. Bad arguments are not among them: they throw a RangeError, a TypeError, or a
 * DOMException named SyntaxError or InvalidAccessError, as `WebSocket` does.
 *
 * @example
 * try {
 *   ws.send(frame);
 * } catch (error) {
 *   if (isFailoverError(error) && error.kind === 'overflow') showThatNothingWasSent();
 *   else throw error;
 * }
 */
export class FailoverError extends Error {
  override readonly name: string = 'FailoverError';
  /**
   * @param kind what went wrong; callers branch on it
   * @param message a sentence for people
   * @param options `cause`: the error behind this one
   */
  constructor(
    readonly kind: ErrorKind,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}

/**
 * Type guard for FailoverError and DDPError. It compares names, so it also recognises errors of a second copy of the
 * library on the same page, for which `instanceof` is false.
 */
export const isFailoverError = (e: unknown): e is FailoverError =>
  e instanceof Error &&
  /^(Failover|DDP)Error$/.test(e.name) &&
  typeof (e as { kind?: unknown }).kind === 'string';
