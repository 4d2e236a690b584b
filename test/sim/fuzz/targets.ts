/** What can be fuzzed, and how one run goes. */
import fc from 'fast-check';

export interface Target {
  readonly name: string;
  /** Of the inputs of all. */
  readonly share: number;
  readonly input: fc.Arbitrary<unknown>;
  /** How many inputs one of these is. */
  size(input: unknown): number;
  /** Throws what is wrong. */
  check(input: unknown): void | Promise<void>;
}

export function target<T>(
  name: string,
  share: number,
  input: fc.Arbitrary<T>,
  check: (input: T) => void | Promise<void>,
): Target {
  const size = (of: unknown) =>
    Array.isArray(of) && /^(close codes and|hints|SockJS frames to|answers)/.test(name) ? of.length : 1;
  return { name, share, input, size, check };
}

export interface Outcome {
  /** Inputs that were tried. */
  readonly inputs: number;
  /** The smallest input that fails, and why, with what it takes to see it again. */
  readonly failure: string | undefined;
}

/** What goes past everybody: a promise that nobody waits for, a listener that throws. */
const STRAYS = ['unhandledRejection', 'uncaughtException'] as const;

/** Tries about so many inputs; the first failure ends it, shrunk. */
export async function fuzz(of: Target, inputs: number, seed: number): Promise<Outcome> {
  let tried = 0;
  let ran = 0;
  const strays: unknown[] = [];
  const stray = (error: unknown) => void strays.push(error);
  for (const event of STRAYS) process.on(event, stray);
  try {
    for (let round = 0; tried < inputs; round++) {
      const left = inputs - tried;
      const property = fc.asyncProperty(of.input, async (input) => {
        tried += of.size(input);
        await of.check(input);
        if (strays.length) throw new Error(`nobody heard of ${String(strays.splice(0)[0])}`);
      });
      // How many inputs one run is, the runs before tell.
      const numRuns = Math.min(Math.ceil(left / (ran ? tried / ran : 8)), 5_000);
      ran += numRuns;
      const details = await fc.check(property, { seed: seed + round, numRuns });
      if (details.failed) {
        const why = String((details.errorInstance as Error | null)?.message);
        return { inputs: tried, failure: `${why}\n${fc.defaultReportMessage(details)}` };
      }
    }
    return { inputs: tried, failure: undefined };
  } finally {
    for (const event of STRAYS) process.off(event, stray);
  }
}
