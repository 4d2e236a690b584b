import { browserEnv, type Env } from './env.ts';
import { badOption } from './errors.ts';
import type { FailureKind } from './failure.ts';
import { POLICIES, policyLimits, type PolicyName, type ReconnectPolicy } from './policies.ts';

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
  string | string[] | ((context: DialContext) => string | string[] | Promise<string | string[]>);

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
      /**
       * The protocol obliges every server to answer. A heartbeat that was never answered is switched off with a warning, since it is
       * taken for a server that knows none; with this only if other frames came in on those connections. @default false (DDPClient: true)
       */
      readonly required?: boolean;
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
  /**
   * Understand notices from the server: `{"msg":"drain","afterMs":…,"spreadMs":…}`, `{"msg":"node","id":…,"spreadMs":…}`.
   * Off by default, because on a plain link a text that another user sent could look like one. @default false (DDPClient: true)
   */
  readonly serverNotices?: boolean;
  /** Where a drain notice may send us with its `url`: origins such as `https://b.example.org`. @default [] */
  readonly allowedOrigins?: readonly string[];
  /**
   * `warm`: a second connection is kept open to another node, quiet but for a heartbeat, and takes over on failure at the
   * price of one round trip. The node must be told by `identify` or `serverNotices`. @default 'off'
   */
  readonly standby?: 'off' | 'warm';
  /**
   * `link`: `close` is dispatched once, when it will not dial again. `per-connection`: also for every lost connection, for
   * code written for reconnecting-websocket. @default 'link'
   */
  readonly events?: 'link' | 'per-connection';
  /**
   * Is told every event of the link as it happens: its level, its name and what it says, fit for JSON and without userinfo
   * and query of any URL. Must not throw. @default none
   */
  readonly log?: (level: LogLevel, event: string, detail: unknown) => void;
  /** For protocols above, such as DDPClient's, that replay more than `subscriptions` holds. */
  readonly layer?: Layer;
  /** Replaces parts of the outside world. @default the browser's */
  readonly env?: Partial<Env>;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** A protocol above the link. It must not throw or reject. */
export interface Layer {
  /** Asked when a replacement is up: resolves when everything is replayed, with how much that was. The report waits for it. */
  replayed(): Promise<number>;
  /** Another connection takes over from one that still works; `open` follows. */
  leave(): Leaving;
}

/** What the layer makes of a connection that is being left. */
export interface Leaving {
  /** What it still says. */
  frame(data: unknown): void;
  /** Resolves when it is not needed any more. */
  readonly done: Promise<unknown>;
  /** It is gone, whether it was needed or not. */
  left(): void;
}

/** FailoverOptions after validation: complete. */
export interface ResolvedOptions {
  readonly policy: Readonly<ReconnectPolicy>;
  readonly heartbeat: Heartbeat | false;
  readonly hedge: boolean;
  readonly probe: (Required<Omit<ProbeOptions, 'url'>> & { readonly url: string | undefined }) | false;
  readonly queue: QueueOptions;
  readonly handshake: FailoverOptions['handshake'];
  readonly identify: FailoverOptions['identify'];
  readonly serverNotices: boolean;
  readonly allowedOrigins: readonly string[];
  readonly standby: boolean;
  readonly events: NonNullable<FailoverOptions['events']>;
  readonly log: FailoverOptions['log'];
  readonly layer: Layer | undefined;
  readonly env: Env;
}

/**
 * Checks every option once and fills in the defaults.
 * @throws RangeError naming the option and the value
 */
export function resolveOptions(options: FailoverOptions = {}): ResolvedOptions {
  const given = check('options', options, isObject);
  const { heartbeat = false, probe = {}, queue = {}, events = 'link' } = given;
  if (heartbeat !== false) {
    check('heartbeat', heartbeat, isObject);
    if ('expectEveryMs' in heartbeat) {
      check('heartbeat.expectEveryMs', heartbeat.expectEveryMs, between(50, 86_400_000));
    } else {
      check('heartbeat.message', heartbeat.message, (value) => value != null, 'a frame');
      check('heartbeat.isReply', heartbeat.isReply, isFunction);
    }
  }
  check('queue', queue, isObject);
  const { maxBytes = 1_048_576, maxMessages = 1_000, overflow = 'throw' } = queue;
  const { handshake, identify, hedge = true, serverNotices = false, standby = 'off' } = given;
  const { log, layer, allowedOrigins = [] } = given;
  check('standby', standby, oneOf('off', 'warm'));
  check('allowedOrigins', allowedOrigins, isOrigins);
  if (standby === 'warm' && !identify && !serverNotices)
    throw badOption('identify', identify, 'a function: standby needs it');
  const resolved: ResolvedOptions = {
    policy: resolvePolicy(given.policy),
    heartbeat,
    hedge: check('hedge', hedge, isBoolean),
    probe: probe !== false && {
      url: check('probe.url', check('probe', probe, isObject).url, isUrl),
      crossOrigin: check('probe.crossOrigin', probe.crossOrigin ?? false, isBoolean),
      timeoutMs: check('probe.timeoutMs', probe.timeoutMs ?? 3_000, between(50, 60_000)),
    },
    queue: {
      maxBytes: check('queue.maxBytes', maxBytes, between(0, Infinity)),
      maxMessages: check('queue.maxMessages', maxMessages, between(0, Infinity)),
      overflow: check('queue.overflow', overflow, oneOf('throw', 'drop-oldest')),
    },
    handshake: check('handshake', handshake, isFunction),
    identify: check('identify', identify, isFunction),
    log: check('log', log, isFunction),
    layer,
    standby: standby === 'warm',
    allowedOrigins: allowedOrigins.map((origin) => new URL(origin).origin.replace(/^http/, 'ws')),
    serverNotices: check('serverNotices', serverNotices, isBoolean),
    events: check('events', events, oneOf('link', 'per-connection')),
    env: { ...browserEnv(), ...check('env', given.env ?? {}, isObject) },
  };
  for (const name of Object.keys(given)) check('options', name, oneOf(...Object.keys(resolved)));
  return resolved;
}

function resolvePolicy(policy: FailoverOptions['policy'] = 'balanced'): Readonly<ReconnectPolicy> {
  const { preset = 'balanced', ...own } =
    typeof policy === 'string' ? { preset: policy } : check('policy', policy, isObject);
  const result: ReconnectPolicy = { ...POLICIES[check('policy', preset, oneOf(...Object.keys(POLICIES)))] };
  const names = oneOf(...Object.keys(result));
  for (const [name, value] of Object.entries(own) as [keyof ReconnectPolicy, number | undefined][]) {
    check('policy', name, names);
    if (value !== undefined) result[name] = check(`policy.${name}`, value, between(...policyLimits(name)));
  }
  for (const of of ['deadline', 'reply'] as const) {
    check(`policy.${of}FloorMs`, result[`${of}FloorMs`], between(0, result[`${of}CapMs`]));
  }
  return Object.freeze(result);
}

/** Does the value hold? `wants` says in words what would. */
interface Rule {
  (value: unknown): boolean;
  readonly wants?: string;
}

function check<T>(option: string, value: T, rule: Rule, wants = rule.wants): T {
  if (rule(value)) return value;
  throw badOption(option, value, wants!);
}

const rule = (wants: string, holds: (value: unknown) => boolean): Rule => Object.assign(holds, { wants });
const isObject = rule('an object', (value) => typeof value === 'object' && value !== null);
const isBoolean = rule('true or false', (value) => typeof value === 'boolean');
const isFunction = rule('a function', (value) => value === undefined || typeof value === 'function');
const isOrigins = rule(
  'a list of origins',
  (value) => Array.isArray(value) && value.every((origin) => URL.canParse(origin as string)),
);
const isUrl = rule('a URL', (value) => value === undefined || URL.canParse(value as string, 'http://x'));
const oneOf = (...values: string[]): Rule =>
  rule(values.join(', '), (value) => values.includes(value as string));
const between = (min: number, max: number): Rule =>
  rule(
    `a number from ${min} to ${max}`,
    (value) => typeof value === 'number' && value >= min && value <= max,
  );
