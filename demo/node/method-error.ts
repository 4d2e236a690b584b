/** The error a method or publication answers with; Meteor's `Meteor.Error`. */
export class MethodError extends Error {
  /**
   * @param code an HTTP-like status, or a code of the app
   * @param reason shown to a person
   */
  constructor(
    readonly code: number | string,
    readonly reason: string,
  ) {
    super(`${reason} [${code}]`);
  }

  /** The error as it is sent in `result` and `nosub`. */
  toWire(): object {
    return {
      isClientSafe: true,
      error: this.code,
      reason: this.reason,
      message: this.message,
      errorType: 'Meteor.Error',
    };
  }
}

/** The error for a parameter that is not what was expected. */
export const badParameter = (name: string, expected: string, value: unknown): MethodError =>
  new MethodError(
    400,
    `${name} must be ${expected}, not ${(JSON.stringify(value) ?? 'undefined').slice(0, 100)}`,
  );
