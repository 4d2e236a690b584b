import { closestName } from './closest-name.ts';
import { formatValue } from './format-value.ts';

/** The last sentence of an error text, which says what to do; or a function that finds it. Undefined: there is nothing to add. */
export type Advice = string | undefined | ((value: unknown) => string | undefined);

/** Returns whether a value holds. */
export interface Rule {
  (value: unknown): boolean;
  /** What the rule expects, as an error text names it. */
  readonly wants: string;
  readonly advice?: Advice;
}

/** The rule of each option, by the option's name. Other names are unknown. */
export type Rules = Readonly<Record<string, Rule>>;

/** Makes the RangeError of a bad option: it names the option, what was expected, what came, and what to do. */
export function badOption(option: string, value: unknown, expected: string, advice?: string): RangeError {
  const hint = advice ?? unitOf(option);
  const got = `${option}: expected ${expected}, got ${formatValue(value)}.`;
  return new RangeError(hint === undefined ? got : `${got} ${hint}`);
}

/** An option's name ends in its unit. */
const unitOf = (option: string): string | undefined =>
  option.endsWith('Ms')
    ? 'Give a number of milliseconds.'
    : option.endsWith('Bytes')
      ? 'Give a number of bytes.'
      : undefined;

/**
 * Returns the value if the rule holds.
 * @throws RangeError naming the option, what was expected and what came
 */
export function validate<T>(option: string, value: T, rule: Rule): T {
  if (rule(value)) return value;
  const { advice } = rule;
  throw badOption(option, value, rule.wants, typeof advice === 'function' ? advice(value) : advice);
}

/**
 * Checks that an object has no fields of other names, and each field that is not undefined against its rule.
 * @param of how error texts name the object
 * @throws RangeError naming the field, what was expected and what came
 */
export function validateFields<T extends object>(given: T, rules: Rules, of = 'options'): T {
  const isKnownName = namesIn(rules);
  for (const [name, value] of Object.entries(validate(of, given, isObject))) {
    validate(of, name, isKnownName);
    if (value !== undefined) validate(`${of}.${name}`, value, rules[name]!);
  }
  return given;
}

/** Makes a rule. `wants` completes "expected …", `advice` is a sentence of its own. */
export const rule = (wants: string, holds: (value: unknown) => boolean, advice?: Advice): Rule =>
  // A function of its own: `holds` may be another rule, or not ours.
  Object.assign((value: unknown) => holds(value), { wants, advice });
/** For an option whose content is checked elsewhere; its name still has to be a known one. */
export const isAnything = rule('anything', () => true);
export const isObject = rule('an object', (value) => typeof value === 'object' && value !== null);
export const isBoolean = rule('true or false', (value) => typeof value === 'boolean');
export const isFunction = rule('a function', (value) => typeof value === 'function');
export const isString = rule('a string', (value) => typeof value === 'string');
export const oneOf = (...values: string[]): Rule => choice(values, 'Give one of these.');
export const between = (min: number, max: number): Rule =>
  rule(
    `a number from ${min} to ${max}`,
    (value) => typeof value === 'number' && value >= min && value <= max,
  );

const namesIn = (rules: Rules): Rule =>
  choice(Object.keys(rules), 'No field has this name: remove it, or use one of these.');

const choice = (values: readonly string[], otherwise: string): Rule =>
  rule(
    values.join(', '),
    (value) => values.includes(value as string),
    (value) => {
      const closest = typeof value === 'string' ? closestName(value, values) : undefined;
      return closest === undefined ? otherwise : `Did you mean "${closest}"?`;
    },
  );
