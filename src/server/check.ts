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

/** @throws RangeError if they are no object, or have a field of another name */
export function checkNames<T extends object>(options: T, names: readonly (keyof T & string)[]): T {
  check('options', options, typeof options === 'object' && options !== null, 'an object');
  for (const name of Object.keys(options))
    check('options', name, (names as readonly string[]).includes(name), names.join(', '));
  return options;
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
