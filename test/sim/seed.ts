import { parentPort, workerData } from 'node:worker_threads';
import { seen } from './counted.ts';
import { generate } from './generate.ts';
import type { Plan } from './plan.ts';
import { play, told, type Outcome } from './play.ts';
import { outsideMicrotasks } from './world/microtasks.ts';
import type { Violation } from './world/world.ts';

export { generate, outsideMicrotasks, play, seen, told };

/** What a bundle offers; see `bundle.ts`. */
export interface Simulation {
  readonly generate: (seed: number) => Plan;
  /** Must be called outside of microtasks. */
  readonly play: (plan: Plan, tracing?: boolean) => Outcome;
  readonly outsideMicrotasks: <T>(run: () => T) => Promise<T>;
  readonly seen: ReadonlyMap<string, number>;
}

/** Seeds to play: from the first to before the last. */
export interface Batch {
  readonly from: number;
  readonly to: number;
}

export interface Played {
  readonly seeds: number;
  readonly virtualMs: number;
  readonly violations: readonly { readonly seed: number; readonly violation: Violation }[];
  /** See `counted.ts`: how often so far. */
  readonly seen: readonly (readonly [string, number])[];
}

async function playBatch({ from, to }: Batch): Promise<Played> {
  const violations: { seed: number; violation: Violation }[] = [];
  let virtualMs = 0;
  for (let seed = from; seed < to; seed++) {
    rejected = undefined;
    const { violation, ms } = await outsideMicrotasks(() => play(generate(seed)));
    virtualMs += ms;
    // Node tells of it when the seed is through.
    await new Promise(setImmediate);
    const found = violation ?? uncaught(ms);
    if (found) violations.push({ seed, violation: found });
  }
  return { seeds: to - from, virtualMs, violations, seen: [...seen] };
}

/** A promise that nobody looked at. */
const uncaught = (at: number): Violation | undefined =>
  rejected && { rule: 'uncaught', text: rejected.message, at };
let rejected: Error | undefined;

// As the main file of a worker thread it plays what it is told to.
if ((workerData as { simulation?: true } | null)?.simulation) {
  process.on('unhandledRejection', (reason) => (rejected = new Error(String(reason))));
  parentPort!.on('message', (batch: Batch) => {
    void playBatch(batch).then((played) => parentPort!.postMessage(played));
  });
}
