/**
 * When to ping, when to suspect a link, when and how often to dial. Fields ending in `Ms` are milliseconds from 10 to
 * 86 400 000 (a day), unless they say otherwise. A value outside its range throws a RangeError when the link is made. The
 * defaults below are those of the preset `balanced`.
 *
 * @example
 * // A preset, with one value of its own.
 * new FailoverWebSocket(url, undefined, { policy: { preset: 'fast', capMs: 3_000 } });
 */
export interface ReconnectPolicy {
  /**
   * The first dial of an outage waits a random time up to this, 0 to 20 ms. A longer spread is for crowds, and the server
   * announces it. @default 10
   */
  spreadMs: number;
  /**
   * Dials of an outage that go out at once, 1 to 6 000. Chromium adds no noticeable delay to about 8 failures in 2 minutes.
   * @default 8
   */
  fastAttempts: number;
  /**
   * Base of the waits after the fast attempts. The n-th wait, n from 0, is random and uniform in
   * 0 … min(`capMs`, `baseMs` · 2ⁿ). @default 500
   */
  baseMs: number;
  /** Upper bound of such a wait, before the jitter; a server's Retry-After counts up to this. @default 8_000 */
  capMs: number;
  /**
   * Dials per minute in the long run, 1 to 6 000. The budget is a token bucket that holds three times `fastAttempts`;
   * probes and the standby spend from it too. @default 30
   */
  dialsPerMinute: number;
  /**
   * Lower bound of a handshake's deadline, however fast earlier ones were; at most `deadlineCapMs`. A first handshake gets
   * five times this. @default 500
   */
  deadlineFloorMs: number;
  /**
   * Upper bound of a handshake's deadline where no ping has measured the round trip. It also bounds the app's `handshake`,
   * a provider, and the wait for other tabs. When dials fail fast, a handshake that hangs is probably queueing at a
   * survivor: it gets twice this, and each further hang doubles that, up to 60 000. @default 10_000
   */
  deadlineCapMs: number;
  /** Silence after which an active heartbeat pings. @default 2_000 */
  quietMs: number;
  /** The same while the page is hidden, or was not touched for `idleAfterMs`. @default 15_000 */
  idleQuietMs: number;
  /** Time without a touch after which a page counts as idle. @default 60_000 */
  idleAfterMs: number;
  /** Shortest time a heartbeat's reply gets, however short the round trip; at most `replyCapMs`. @default 500 */
  replyFloorMs: number;
  /** Longest time a heartbeat's reply gets, and the time it gets before any round trip is measured. @default 5_000 */
  replyCapMs: number;
  /**
   * Failed dials of one outage after which the link ends with `giveup`, 1 to Infinity. Infinity: it never gives up.
   * @default Infinity
   */
  maxAttempts: number;
}

/** Name of a preset of the ReconnectPolicy; `POLICIES` holds their values. */
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

/**
 * The presets, field by field. `balanced` is the default. `fast` is for pages where a person is watching, `frugal` for
 * batteries and metered links.
 */
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
 * Returns the lowest and highest value of a policy field. A day is far below the longest delay of a timer (2³¹ − 1 ms; a
 * longer one fires at once). 10 ms, and 6 000 dials a minute, keep a typing mistake from becoming a flood.
 */
export const policyLimits = (field: string): readonly [min: number, max: number] =>
  field === 'spreadMs'
    ? [0, 20]
    : field.endsWith('Ms')
      ? [10, 86_400_000]
      : [1, field === 'maxAttempts' ? Infinity : 6_000];
