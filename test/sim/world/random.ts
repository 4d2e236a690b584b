import { seeded, type Random } from '../../support/random.ts';

/** A stream of its own for each part of a world, so that one that draws more or less leaves the others as they were. */
export function stream(seed: number, name: string): Random {
  let hash = seed | 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return seeded(hash ^ (hash >>> 13));
}

/** Draws from a stream, in the words a plan is written in. */
export class Dice {
  constructor(readonly random: Random) {}

  chance(p: number): boolean {
    return this.random() < p;
  }

  /** Whole, from `min` to `max`. */
  int(min: number, max: number): number {
    return min + Math.floor(this.random() * (max - min + 1));
  }

  pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.random() * of.length)]!;
  }

  /** Each with its weight. */
  weighted<T>(of: readonly (readonly [weight: number, value: T])[]): T {
    let at = this.random() * of.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of of) if ((at -= weight) < 0) return value;
    return of.at(-1)![1];
  }
}
