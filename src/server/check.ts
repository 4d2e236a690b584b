import { inspect } from 'node:util';

/**
 * Passes on a value that holds.
 * @throws RangeError naming the option and the value
 */
export function check<T>(option: string, value: T, holds: boolean, expected: string): T {
  if (holds) return value;
  const shown = typeof value === 'string' ? JSON.stringify(value) : inspect(value, { depth: 0 });
  throw new RangeError(
    `${option}: expected ${expected}, got ${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown}`,
  );
}

export const checkNumber = (option: string, value: number, min: number, max: number): number =>
  check(
    option,
    value,
    typeof value === 'number' && value >= min && value <= max,
    `a number from ${min} to ${max}`,
  );

export const checkBoolean = (option: string, value: boolean): boolean =>
  check(option, value, typeof value === 'boolean', 'true or false');

export const checkFunction = <T>(option: string, value: T): T =>
  check(option, value, value === undefined || typeof value === 'function', 'a function');
