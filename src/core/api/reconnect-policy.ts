/**
 * When to ping, when to call a link suspect, when and how often to dial. All times in milliseconds.
 * The defaults below are those of the preset `balanced`.
 */
export interface ReconnectPolicy {
  /** The first dial of an outage waits a random time up to this; more than 20 is reserved for crowds and is refused. @default 10 */
  spreadMs: number;
  /** So many dials of an outage go out at once, inside what engines allow for free (Chromium: about 8 failures in 2 minutes). @default 8 */
  fastAttempts: number;
  /** After the fast lane: full jitter, uniform in 0 … min(capMs, baseMs · 2ⁿ). @default 500 */
  baseMs: number;
  /** Longest wait between two dials. @default 8_000 */
  capMs: number;
  /** Long-run limit of dials per minute (token bucket, burst of three times `fastAttempts`). @default 30 */
  dialsPerMinute: number;
  /** Shortest time a handshake is given, however fast they have been here. @default 500 */
  deadlineFloorMs: number;
  /**
   * Longest time a first handshake is given; also for what an app's `handshake` or a provider may take. Where dials fail fast a
   * handshake that hangs probably queues, and gets twice that; with every one that hung it doubles, up to 1 min. @default 10_000
   */
  deadlineCapMs: number;
  /** Silence after which an active heartbeat pings. @default 2_000 */
  quietMs: number;
  /** The same while the page is hidden or was not touched for `idleAfterMs`. @default 15_000 */
  idleQuietMs: number;
  /** A page that was not touched so long counts as idle. @default 60_000 */
  idleAfterMs: number;
  /** A heartbeat reply is waited for at least so long, however short the round trip. @default 500 */
  replyFloorMs: number;
  /** A heartbeat reply is waited for at most so long, and that is what it gets before any round trip was measured. @default 5_000 */
  replyCapMs: number;
  /** Dials of one outage after which the link ends with `giveup`. @default Infinity */
  maxAttempts: number;
}

export type PolicyName = 'fast' | 'balanced' | 'frugal';

const balanced: ReconnectPolicy = {
  spreadMs: 10,
  fastAttempts: 8,
  baseMs: 500,
  capMs: 8_000,
  dialsPerMinute: 30,
  deadlineFloorMs: 500,
  deadlineCapMs: 10_000,
  quietMs: 2_000,
  idleQuietMs: 15_000,
  idleAfterMs: 60_000,
  replyFloorMs: 500,
  replyCapMs: 5_000,
  maxAttempts: Infinity,
};

/** The presets. `fast`: a person is watching; `frugal`: batteries, metered links. */
export const POLICIES: Readonly<Record<PolicyName, Readonly<ReconnectPolicy>>> = {
  fast: {
    ...balanced,
    baseMs: 250,
    capMs: 5_000,
    dialsPerMinute: 60,
    deadlineFloorMs: 300,
    quietMs: 300,
    idleQuietMs: 5_000,
    replyFloorMs: 250,
    replyCapMs: 2_000,
  },
  balanced,
  frugal: {
    ...balanced,
    dialsPerMinute: 12,
    deadlineFloorMs: 1_000,
    quietMs: 15_000,
    idleQuietMs: 60_000,
    replyFloorMs: 1_000,
    replyCapMs: 10_000,
  },
};

/**
 * Lowest and highest value of a policy field. A day is far below the longest timer engines take (2³¹ − 1 ms; a longer one
 * fires at once), and 10 ms keeps a typo from becoming a flood.
 */
export const policyLimits = (field: string): readonly [min: number, max: number] =>
  field === 'spreadMs'
    ? [0, 20]
    : field.endsWith('Ms')
      ? [10, 86_400_000]
      : [1, field === 'maxAttempts' ? Infinity : 6_000];
