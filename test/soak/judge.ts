/** Does something grow? Compares like with like: medians of many samples, each taken when the page was at rest with the same todos. */

/** What is alive in a page, after a forced collection. */
export interface Sample {
  readonly heap: number;
  readonly listeners: number;
  readonly nodes: number;
  readonly timers: number;
  readonly workers: number;
  readonly sockets: number;
}

export interface Verdict {
  readonly what: keyof Sample;
  /** Medians of the fifth after the warm-up and of the last one. */
  readonly before: number;
  readonly after: number;
  readonly ok: boolean;
}

/** The first fifth is warm-up: code is compiled, caches are filled, the first failovers are had. */
const PARTS = 5;
const HEAP_GROWTH = 0.02;
/** A resting client has a heartbeat's timer or two, and is in the midst of making a standby or not; a leak has one more each time. */
const SLACK: Readonly<Record<Exclude<keyof Sample, 'heap'>, number>> = {
  listeners: 6,
  nodes: 0,
  timers: 3,
  workers: 0,
  sockets: 1,
};

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** @throws RangeError with too few samples for five parts of three */
export function judge(samples: readonly Sample[]): Verdict[] {
  const size = Math.floor(samples.length / PARTS);
  if (size < 3) throw new RangeError(`${samples.length} samples are too few to judge by: run for longer`);
  const early = samples.slice(size, 2 * size);
  const late = samples.slice(-size);
  return (['heap', 'listeners', 'nodes', 'timers', 'workers', 'sockets'] as const).map((what) => {
    const before = median(early.map((sample) => sample[what]));
    const after = median(late.map((sample) => sample[what]));
    const ok = what === 'heap' ? after <= before * (1 + HEAP_GROWTH) : after <= before + SLACK[what];
    return { what, before, after, ok };
  });
}
