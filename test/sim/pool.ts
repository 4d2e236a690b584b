import { Worker } from 'node:worker_threads';
import type { Batch, Played } from './seed.ts';

/** Seeds that a worker takes at once. */
const BATCH = 100;

export interface Total extends Played {
  /** The run was long enough; nothing was cut short by a violation. */
  readonly complete: boolean;
}

/**
 * Plays the seeds on two threads.
 * @param stopAfter violations after which no more are looked for
 */
export async function playAll(
  file: string,
  { from, to }: Batch,
  { stopAfter = Infinity, progress }: { stopAfter?: number; progress?: (so: Played) => void } = {},
): Promise<Total> {
  let next = from;
  let seeds = 0;
  let virtualMs = 0;
  const violations: Played['violations'][number][] = [];
  const seen = new Map<string, number>();
  const work = async (): Promise<void> => {
    const worker = new Worker(file, { workerData: { simulation: true } });
    const mine = new Map<string, number>();
    try {
      while (next < to && violations.length < stopAfter) {
        const batch: Batch = { from: next, to: Math.min(next + BATCH, to) };
        next = batch.to;
        const played = await new Promise<Played>((resolve, reject) => {
          worker.once('message', resolve).once('error', reject);
          worker.postMessage(batch);
        });
        worker.removeAllListeners('error');
        seeds += played.seeds;
        virtualMs += played.virtualMs;
        violations.push(...played.violations);
        for (const [name, times] of played.seen) {
          seen.set(name, (seen.get(name) ?? 0) + times - (mine.get(name) ?? 0));
          mine.set(name, times);
        }
        progress?.({ seeds, virtualMs, violations, seen: [] });
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all([work(), work()]);
  violations.sort((a, b) => a.seed - b.seed);
  return { seeds, virtualMs, violations, seen: [...seen], complete: next >= to };
}
