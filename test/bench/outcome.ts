/** From what a page recorded to what its user felt. All in ms; instants are Unix time. */

/** One socket. Heartbeats are in none of the lists; each list keeps the first entries since the recording began. */
export interface Dial {
  readonly start: number;
  readonly open?: number;
  /** The first frame of all from the node. */
  readonly proven?: number;
  /** Frames of the client. */
  readonly sent: readonly number[];
  /** Frames of the node. */
  readonly received: readonly number[];
  /** DDP: a subscription is ready. */
  readonly ready: readonly number[];
  /** It ended, or its client gave it up. */
  readonly end?: number;
  /** Its client gave it up before it was open. */
  readonly abandoned?: boolean;
  /** The node that said its name on it. */
  readonly node?: string;
}

export interface Attempt {
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: string;
}

export interface Recording {
  readonly dials: readonly Dial[];
  readonly served: readonly { readonly at: number; readonly node: string }[];
  readonly noticed: readonly number[];
  readonly lags: readonly { readonly at: number; readonly ms: number }[];
  /** As the client itself reports them; only ours does. */
  readonly attempts: readonly Attempt[];
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
  /** `promoted`: a connection from before the fault serves now; its time is that from the first frame sent on it. */
  readonly attempts: {
    readonly ms: number;
    readonly outcome: 'served' | 'promoted' | 'failed' | 'pending';
  }[];
  /** The latest that a timer of the page was meanwhile. */
  readonly lagMs: number;
}

export function outcomeOf(recording: Recording, at: number, failed: string): Outcome {
  const { dials, served, noticed, lags } = recording;
  const old = dials.findLast(
    (dial) => dial.start <= at && dial.node === failed && (dial.end === undefined || dial.end > at),
  );
  const after = dials.filter((dial) => dial.start > at);
  const reactions = [old?.end, ...noticed, after[0]?.start].filter(
    (t) => t !== undefined && t > at,
  ) as number[];
  const servedAt = served.find((entry) => entry.at > at && entry.node !== failed)?.at;
  const lagMs = Math.max(
    0,
    ...lags.filter((lag) => lag.at > at && lag.at < (servedAt ?? Infinity)).map(({ ms }) => ms),
  );
  const noticedAt = Math.min(...reactions);
  const noticedMs = reactions.length > 0 ? { noticedMs: noticedAt - at } : {};
  const others = (winner?: Dial): Outcome['attempts'] =>
    after
      .filter((dial) => dial !== winner && dial.start < (servedAt ?? Infinity))
      .map((dial) => ({
        ms: (dial.end ?? servedAt ?? dial.start) - dial.start,
        outcome: dial.end === undefined ? 'pending' : 'failed',
      }));
  if (servedAt === undefined) return { ...noticedMs, attempts: others(), lagMs };

  const winner = winnerOf(dials, at, servedAt, failed);
  const spans: Span[] = after
    .filter((dial) => dial !== winner && dial.start < servedAt)
    .map(({ start, end }) => [start, end ?? servedAt]);
  const won = winner === undefined ? [] : winning(winner, at);
  const rawMs = covered([...spans, ...won], noticedAt, servedAt);
  const from = won[0]?.[0];
  const to = won.at(-1)?.[1];
  return {
    servedMs: servedAt - at,
    ...noticedMs,
    rawMs,
    overheadMs: servedAt - noticedAt - rawMs,
    attempts: [
      ...others(winner),
      ...(winner === undefined || from === undefined || to === undefined
        ? []
        : [{ ms: to - from, outcome: winner.start > at ? ('served' as const) : ('promoted' as const) }]),
    ],
    lagMs,
  };
}

type Span = readonly [from: number, to: number];

const firstAfter = (instants: readonly number[], at: number): number | undefined =>
  instants.find((t) => t > at);

/**
 * The socket that serves: the last one on a surviving node that said something after the fault. Where there is DDP, only one
 * whose subscriptions got ready counts: a standby dialled meanwhile says something too.
 */
function winnerOf(dials: readonly Dial[], at: number, servedAt: number, failed: string): Dial | undefined {
  const by = (kind: 'ready' | 'received'): Dial | undefined =>
    dials.findLast(
      (dial) =>
        dial.node !== undefined &&
        dial.node !== failed &&
        (firstAfter(dial[kind], at) ?? Infinity) <= servedAt,
    );
  return by('ready') ?? by('received');
}

/**
 * The part of the winning attempt that no client can save: a plain one is over with the node's first frame. A DDP one goes
 * from the dial to `open`, and from the client's first frame to `ready`; what the client lets pass in between is its own.
 * On a connection from before the fault it goes from the first frame sent to the answer.
 */
function winning({ start, open = start, sent, received, ready }: Dial, at: number): readonly Span[] {
  const answered = firstAfter(ready, at) ?? firstAfter(received, at) ?? open;
  const asked = firstAfter(sent, at);
  if (start <= at) return [[asked ?? answered, answered]];
  return ready.length === 0
    ? [[start, answered]]
    : [
        [start, open],
        [asked ?? open, answered],
      ];
}

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
