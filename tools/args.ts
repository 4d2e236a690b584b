/** Reads the command lines of this project's programs. A wrong call ends with one sentence and exit code 2. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** The call is wrong, not the program. The message is one sentence for the person who typed it. */
export class UsageError extends Error {}

/** @throws UsageError unless `value` is one of `allowed` */
export function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found !== undefined) return found;
  throw new UsageError(`The option --${flag} takes one of ${allowed.join(', ')}, but it got "${value}".`);
}

/** @throws UsageError unless `value` is a number of at least `min` */
export function number(flag: string, value: string, min: number): number {
  const n = Number(value);
  if (Number.isFinite(n) && n >= min && value.trim() !== '') return n;
  throw new UsageError(`The option --${flag} takes a number of at least ${min}, but it got "${value}".`);
}

/** @throws UsageError unless `value` is a whole number of at least `min` */
export function whole(flag: string, value: string, min: number): number {
  const n = number(flag, value, min);
  if (Number.isSafeInteger(n)) return n;
  throw new UsageError(
    `The option --${flag} takes a whole number of at least ${min}, but it got "${value}".`,
  );
}

/** Whether the person who called made the mistake: a UsageError, or what `parseArgs` throws. */
export const isUsage = (error: unknown): error is Error =>
  error instanceof UsageError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');

/** The message of a wrong call in one line. `parseArgs` adds advice about positional arguments, which no program here takes. */
export function usageLine(error: Error): string {
  if (error instanceof UsageError) return error.message;
  const [problem] = error.message.split(/\. |\n/);
  return `${problem!.replace(/\.$/, '')}. The option --help lists what there is.`;
}

type Values<O extends NonNullable<ParseArgsConfig['options']>> = ReturnType<
  typeof parseArgs<{ options: O }>
>['values'];

/** Returns what `read` makes of the command line. `--help` prints the help and ends the program; a wrong call ends it with code 2. */
export function parseCommandLine<O extends NonNullable<ParseArgsConfig['options']>, T>(
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
    console.error(usageLine(error));
    process.exit(2);
  }
}

export const text = (value: string) => ({ type: 'string', default: value }) as const;
export const optional = { type: 'string' } as const;
export const flag = { type: 'boolean', default: false } as const;
