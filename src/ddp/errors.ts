import { FailoverError } from '../core/api/errors.ts';

/** The server answered a method or subscription with an error (`Meteor.Error` on its side). */
export class DDPError extends FailoverError {
  override readonly name: string = 'DDPError';
  /** Meteor's `error`: mostly a short text like `'not-authorized'`, or a number like 404. */
  readonly code: string | number;
  readonly reason: string | undefined;
  readonly details: unknown;

  /** Made from the `error` object of a `result` or `nosub`, of which nothing is taken for granted. */
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
