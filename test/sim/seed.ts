import { seen } from './counted.ts';
import { generate } from './generate.ts';
import type { Plan } from './plan.ts';
import { play, type Outcome } from './play.ts';

export { outsideMicrotasks } from './world/microtasks.ts';
export { generate, play, seen };

/** What a bundle offers; see `bundle.ts`. */
export interface Simulation {
  readonly generate: (seed: number) => Plan;
  readonly play: (plan: Plan, tracing?: boolean) => Outcome;
  readonly outsideMicrotasks: <T>(run: () => T) => Promise<T>;
  readonly seen: ReadonlyMap<string, number>;
}
