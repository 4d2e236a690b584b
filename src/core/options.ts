import { browserEnv, type Env } from './env.ts';
import { badOption } from './errors.ts';
import type { FailureKind } from './failure.ts';

/** A text or binary frame, as `WebSocket.send` takes it. */
export type Frame = string | ArrayBufferLike | Blob | ArrayBufferView;

/** What a URL or protocol provider is told about the dial it is asked for. */
export interface DialContext {
  /** 1 for the first dial of an outage (or of the link), counted up until a replacement is up. */
  readonly attempt: number;
  /** Why this dial is needed; undefined for the very first. `unauthorized` asks for fresh credentials. */
  readonly cause: FailureKind | undefined;
  /** Aborted when the answer is no longer wanted. */
  readonly signal: AbortSignal;
}

/**
 * Asked before every dial. A rejection counts as a failed attempt and is paced like one, except with cause `unauthorized`:
 * then it ends the link.
 */
export type UrlProvider = (
  context: DialContext,
) => string | URL | readonly string[] | Promise<string | URL | readonly string[]>;
export type UrlSource = string | URL | readonly string[] | UrlProvider;
export type ProtocolSource =
  | string
  | string[]
  | ((context: DialContext) => string | string[] | Promise<string | string[]>);

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
  /** Longest wait between two dials. @default 10_000 */
  capMs: number;
  /** Long-run limit of dials per minute (token bucket, burst of twice `fastAttempts`). @default 30 */
  dialsPerMinute: number;
  /** Shortest time a handshake is given, however fast they have been here. @default 500 */
  deadlineFloorMs: number;
  /** Longest time a handshake is given, and what it gets while nothing is known. @default 10_000 */
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
  capMs: 10_000,
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

/** The presets. `fast`: a person is watching; `frugal`: batteries, metered links, very large crowds. */
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
    fastAttempts: 4,
    baseMs: 1_000,
    capMs: 30_000,
    dialsPerMinute: 12,
    deadlineFloorMs: 1_000,
    quietMs: 15_000,
    idleQuietMs: 60_000,
    replyFloorMs: 1_000,
    replyCapMs: 10_000,
  },
};

/** Lowest and highest value of each policy field. A timer longer than 2³¹−1 ms fires at once in every engine. */
const POLICY_LIMITS: Record<keyof ReconnectPolicy, readonly [min: number, max: number]> = {
  spreadMs: [0, 20],
  fastAttempts: [1, 50],
  baseMs: [1, 600_000],
  capMs: [1, 3_600_000],
  dialsPerMinute: [1, 6_000],
  deadlineFloorMs: [50, 600_000],
  deadlineCapMs: [50, 600_000],
  quietMs: [50, 86_400_000],
  idleQuietMs: [50, 86_400_000],
  idleAfterMs: [0, 86_400_000],
  replyFloorMs: [20, 600_000],
  replyCapMs: [20, 600_000],
  maxAttempts: [1, Infinity],
};

/** Ping and reply are messages of the app's protocol: script has no access to WebSocket pings. */
export type Heartbeat =
  | {
      /** Sent after `quietMs` of silence. */
      readonly message: Frame | (() => Frame);
      /**
       * Recognises the reply, which is then kept from the app. Without it any frame counts as the reply.
       * Must not throw.
       */
      readonly isReply?: (data: unknown) => boolean;
    }
  | {
      /** Passive: the server is known to say something at least this often (ms); half as long again without it is suspect. */
      readonly expectEveryMs: number;
    };

export interface ProbeOptions {
  /** @default the WebSocket URL over http(s), without query */
  readonly url?: string;
  /** Probe other origins than the page's too (they see a request; its answer may be opaque). @default false */
  readonly crossOrigin?: boolean;
  /** @default 3_000 */
  readonly timeoutMs?: number;
}

export interface QueueOptions {
  /** @default 1_048_576 (1 MiB) */
  readonly maxBytes: number;
  /** @default 1_000 */
  readonly maxMessages: number;
  /**
   * What happens to a frame that does not fit. `throw`: `send` throws a FailoverError `overflow`.
   * `drop-oldest`: the oldest waiting frames make room and are reported by the `overflow` event. @default 'throw'
   */
  readonly overflow: 'throw' | 'drop-oldest';
}

export interface FailoverOptions {
  /** A preset, or values laid over `balanced`. @default 'balanced' */
  readonly policy?: PolicyName | (Partial<ReconnectPolicy> & { readonly preset?: PolicyName });
  /**
   * How a hang is noticed. `false`: it is not noticed at all. @default false (DDPClient: DDP's own ping)
   */
  readonly heartbeat?: Heartbeat | false;
  /**
   * A suspect link gets a replacement dialled beside it and is only left when that is up. `false`: it is dropped first.
   * @default true
   */
  readonly hedge?: boolean;
  /** A fetch beside the dials that tells why they fail. `false` turns it off. @default {} */
  readonly probe?: ProbeOptions | false;
  readonly queue?: Partial<QueueOptions>;
  /**
   * Runs on every new connection before anything else is sent on it: authentication frames. `receive()` resolves with the
   * data of the next frame, which the app then does not see. A rejection fails the attempt.
   */
  readonly handshake?: (send: (frame: Frame) => void, receive: () => Promise<unknown>) => Promise<void>;
  /** Asked about each frame of a new connection until it names the node. Must not throw. */
  readonly identify?: (data: unknown) => string | undefined;
  /** Understand `{"msg":"drain"…}` and `{"msg":"node"…}` notices from the server. @default false */
  readonly serverNotices?: boolean;
  /**
   * `link`: `close` is dispatched once, when it will not dial again. `per-connection`: also for every lost connection, for
   * code written for reconnecting-websocket. @default 'link'
   */
  readonly events?: 'link' | 'per-connection';
  /** Replaces parts of the outside world. @default the browser's */
  readonly env?: Partial<Env>;
}

/** FailoverOptions after validation: complete, frozen. */
export interface ResolvedOptions {
  readonly policy: Readonly<ReconnectPolicy>;
  readonly heartbeat: Heartbeat | false;
  readonly hedge: boolean;
  readonly probe: Required<Omit<ProbeOptions, 'url'>> & { readonly url: string | undefined } | false;
  readonly queue: QueueOptions;
  readonly handshake: FailoverOptions['handshake'];
  readonly identify: FailoverOptions['identify'];
  readonly serverNotices: boolean;
  readonly perConnectionEvents: boolean;
  readonly env: Env;
}
