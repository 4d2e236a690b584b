/** From what a page recorded to what its user felt. All in ms; instants are Unix time. */

export interface Dial {
  readonly start: number;
  readonly open?: number;
  /** The first frame the client sent on it. */
  readonly sent?: number;
  /** The first frame from the node. */
  readonly first?: number;
  /** DDP: the first subscription is ready. */
  readonly ready?: number;
  /** It ended, or its client gave it up. */
  readonly end?: number;
  /** The node that said its name on it. */
  readonly node?: string;
}

export interface Recording {
  readonly dials: readonly Dial[];
  readonly served: readonly { readonly at: number; readonly node: string }[];
  readonly noticed: readonly number[];
  readonly lags: readonly { readonly at: number; readonly ms: number }[];
}

export interface Outcome {
  /** From the fault to the first application data of the surviving node; undefined if it was not served in time. */
  readonly servedMs?: number;
  /** From the fault to the client's first reaction: its socket ended, it said so, or it dialled. */
  readonly noticedMs?: number;
  /** Time in which at least one attempt was under way. */
  readonly rawMs?: number;
  /** What the client added: served − noticed − raw. */
  readonly overheadMs?: number;
  readonly attempts: { readonly ms: number; readonly outcome: 'served' | 'failed' | 'pending' }[];
  /** The latest that a timer of the page was meanwhile. */
  readonly lagMs: number;
}

export function outcomeOf(recording: Recording, at: number, failed: string): Outcome {
  const { dials, served, noticed, lags } = recording;
  const before = dials.filter((dial) => dial.start <= at);
  const old = before.findLast((dial) => dial.node === failed);
  const after = dials.filter((dial) => dial.start > at);
  const reactions = [old?.end, ...noticed, after[0]?.start].filter(
    (t) => t !== undefined && t > at,
  ) as number[];
  const noticedAt = Math.min(...reactions);
  const servedAt = served.find((entry) => entry.at > at && entry.node !== failed)?.at;
  const lagMs = Math.max(
    0,
    ...lags.filter((lag) => lag.at > at && lag.at < (servedAt ?? Infinity)).map(({ ms }) => ms),
  );
  const noticedMs = reactions.length > 0 ? { noticedMs: noticedAt - at } : {};
  const attempts = (winner?: Dial): Outcome['attempts'] =>
    after
      .filter((dial) => servedAt === undefined || dial.start < servedAt)
      .map((dial) => ({
        ms: (dial === winner ? rawEnd(dial) : (dial.end ?? servedAt ?? dial.start)) - dial.start,
        outcome: dial === winner ? 'served' : dial.end === undefined ? 'pending' : 'failed',
      }));
  if (servedAt === undefined) return { ...noticedMs, attempts: attempts(), lagMs };

  const tried = after.filter((dial) => dial.start < servedAt);
  const winner = tried.findLast((dial) => dial.node !== undefined && dial.node !== failed);
  const spans = tried.flatMap((dial) =>
    dial === winner ? winning(dial) : [[dial.start, dial.end ?? servedAt] as const],
  );
  const rawMs = covered(spans, noticedAt, servedAt);
  return {
    servedMs: servedAt - at,
    ...noticedMs,
    rawMs,
    overheadMs: servedAt - noticedAt - rawMs,
    attempts: attempts(winner),
    lagMs,
  };
}

type Span = readonly [from: number, to: number];

const rawEnd = (dial: Dial): number => dial.ready ?? dial.first ?? dial.start;

/**
 * The part of the winning attempt that no client can save: a plain one is over with the node's first frame. A DDP one goes
 * from the dial to `open`, and from the client's first frame to `ready`; what the client lets pass in between is its own.
 */
const winning = ({ start, open = start, first = open, sent = open, ready }: Dial): readonly Span[] =>
  ready === undefined
    ? [[start, first]]
    : [
        [start, open],
        [sent, ready],
      ];

/** Length of the union of the spans within from … to. */
function covered(spans: readonly Span[], from: number, to: number): number {
  let total = 0;
  let reached = from;
  for (const [start, end] of [...spans].sort(([x], [y]) => x - y)) {
    const a = Math.max(start, reached);
    const b = Math.min(end, to);
    if (b > a) total += b - a;
    reached = Math.max(reached, b);
  }
  return total;
}

/** Nearest rank. */
export function quantile(values: readonly number[], q: number): number | undefined {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}
