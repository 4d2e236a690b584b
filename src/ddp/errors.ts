import { FailoverError } from '../core/api/errors.ts';

/**
 * The server answered a method or a subscription with an error (`Meteor.Error` on its side). Its `kind` is `server`.
 *
 * @example
 * ddp.call('todos.remove', id).catch((error) => {
 *   if (error instanceof DDPError && error.code === 404) return; // it is gone already
 *   throw error;
 * });
 */
export class DDPError extends FailoverError {
  override readonly name: string = 'DDPError';
  /** The first argument of `Meteor.Error`: mostly a short text like `'not-authorized'`, or a number like 404. `'unknown'` if there was none. */
  readonly code: string | number;
  /** The second argument: an explanation for people. */
  readonly reason: string | undefined;
  /** The third argument: whatever the server added, as EJSON. */
  readonly details: unknown;

  /** @param wire the `error` of a `result` or `nosub` message, of whatever form */
  constructor(wire: unknown) {
    const { error, reason, message, details } = (
      typeof wire === 'object' && wire ? wire : { error: wire }
    ) as Record<string, unknown>;
    const code = typeof error === 'string' || typeof error === 'number' ? error : 'unknown';
    const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
    const why = text(reason) ?? 'The server answered with an error and gave no reason';
    super('server', text(message) ?? `${why} [${code}]`);
    this.code = code;
    this.reason = text(reason);
    this.details = details;
  }
}
