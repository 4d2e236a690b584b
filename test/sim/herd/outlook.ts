import type { Outcome } from './herd.ts';

/** When the given share of all clients was served, ms; Infinity if it never was. */
export function servedBy({ servedAt, unserved }: Outcome, share: number): number {
  const needed = Math.ceil(share * (servedAt.length + unserved));
  return needed > servedAt.length ? Infinity : servedAt[Math.max(0, needed - 1)]!;
}

/** Share of the survivors' handshakes that were for nobody. */
export const wastedShare = ({ wasted, servedAt }: Outcome): number =>
  wasted === 0 ? 0 : wasted / (wasted + servedAt.length);

/** How many of all clients are served after each step of time. */
export function servedOverTime(outcome: Outcome, untilMs: number, steps: number): number[] {
  const all = outcome.servedAt.length + outcome.unserved;
  let served = 0;
  return Array.from({ length: steps + 1 }, (_, i) => {
    const at = (i / steps) * untilMs;
    while (served < outcome.servedAt.length && outcome.servedAt[served]! <= at) served += 1;
    return served / all;
  });
}
