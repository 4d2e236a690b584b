import { formatValue } from './format-value.ts';

/** Does the value hold? `wants` says in words what would. */
export interface Rule {
  (value: unknown): boolean;
  readonly wants: string;
}

/** What may be given, by its name. */
export type Rules = Readonly<Record<string, Rule>>;

/** The RangeError of a bad option: names the option and shows the value. */
export const badOption = (option: string, value: unknown, expected: string): RangeError =>
  new RangeError(`${option}: expected ${expected}, got ${formatValue(value)}`);

/** @throws RangeError naming the option and the value */
export function validate<T>(option: string, value: T, rule: Rule): T {
  if (rule(value)) return value;
  throw badOption(option, value, rule.wants);
}

/**
 * Checks that an object has fields of these names only, and those that are there against their rules.
 * @param of what it is, if it is not the options themselves
 * @throws RangeError naming the field and the value
 */
export function validateFields<T extends object>(given: T, rules: Rules, of = 'options'): T {
  for (const [name, value] of Object.entries(validate(of, given, isObject))) {
    validate(of, name, oneOf(...Object.keys(rules)));
    if (value !== undefined) validate(`${of}.${name}`, value, rules[name]!);
  }
  return given;
}

export const rule = (wants: string, holds: (value: unknown) => boolean): Rule =>
  // A function of its own: `holds` may be another rule, or not ours.
  Object.assign((value: unknown) => holds(value), { wants });
/** For an option whose content is checked elsewhere; its name still has to be a known one. */
export const isAnything = rule('anything', () => true);
export const isObject = rule('an object', (value) => typeof value === 'object' && value !== null);
export const isBoolean = rule('true or false', (value) => typeof value === 'boolean');
export const isFunction = rule('a function', (value) => typeof value === 'function');
export const isString = rule('a string', (value) => typeof value === 'string');
export const oneOf = (...values: string[]): Rule =>
  rule(values.join(', '), (value) => values.includes(value as string));
export const between = (min: number, max: number): Rule =>
  rule(
    `a number from ${min} to ${max}`,
    (value) => typeof value === 'number' && value >= min && value <= max,
  );
