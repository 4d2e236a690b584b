/** What the programs of this project are asked for on the command line. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** The call is wrong, not the program: one line says how. */
export class UsageError extends Error {}

export function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined) throw new UsageError(`--${flag}: expected ${allowed.join(', ')}, got "${value}"`);
  return found;
}

export function number(flag: string, value: string, min: number): number {
  const n = Number(value);
  if (!Number.isFinite(n) || n < min || value.trim() === '')
    throw new UsageError(`--${flag}: expected a number from ${min}, got "${value}"`);
  return n;
}

export function whole(flag: string, value: string, min: number): number {
  const n = number(flag, value, min);
  if (!Number.isSafeInteger(n))
    throw new UsageError(`--${flag}: expected a whole number from ${min}, got "${value}"`);
  return n;
}

export const isUsage = (error: unknown): error is Error =>
  error instanceof UsageError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');

type Values<O extends NonNullable<ParseArgsConfig['options']>> = ReturnType<
  typeof parseArgs<{ options: O }>
>['values'];

/** Reads the command line, or ends the program: with the help that `--help` asks for, or with one line and 2. */
export function asked<O extends NonNullable<ParseArgsConfig['options']>, T>(
  help: string,
  options: O,
  read: (values: Values<O>) => T,
): T {
  try {
    if (process.argv.includes('--help')) {
      console.log(help);
      process.exit();
    }
    return read(parseArgs({ options }).values);
  } catch (error) {
    if (!isUsage(error)) throw error;
    console.error(error.message);
    process.exit(2);
  }
}

export const text = (value: string) => ({ type: 'string', default: value }) as const;
export const optional = { type: 'string' } as const;
export const flag = { type: 'boolean', default: false } as const;
