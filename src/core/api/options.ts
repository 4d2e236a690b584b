import {
  between,
  validate,
  validateFields,
  isBoolean,
  isFunction,
  isObject,
  oneOf,
  rule,
  type Rules,
  badOption,
} from '../../shared/validate.ts';
import { type Env } from '../env/env.ts';
import { browserEnv } from '../env/browser.ts';
import type { FailureKind } from './failure.ts';
import type { Frame } from './frame.ts';
import { POLICIES, policyLimits, type PolicyName, type ReconnectPolicy } from './reconnect-policy.ts';

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
      readonly expectEveryMs?: undefined;
    }
  | {
      /** Passive: the server is known to say something at least this often (ms); half as long again without it is suspect. */
      readonly expectEveryMs: number;
      readonly message?: undefined;
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
  /**
   * Asked when the current connection is given up: how much of what was sent on it may or may not have arrived, and is not sent again.
   * @default the frames that no later ping has confirmed
   */
  unconfirmed?(): number;
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

/** What is checked elsewhere. */
const any = rule('', () => true);
const isFrame = rule('a frame', (value) => value != null);

const RULES: Rules = {
  policy: any,
  heartbeat: any,
  hedge: isBoolean,
  probe: any,
  queue: any,
  handshake: isFunction,
  identify: isFunction,
  serverNotices: isBoolean,
  allowedOrigins: rule(
    'a list of origins',
    (value) => Array.isArray(value) && value.every((origin) => URL.canParse(origin as string)),
  ),
  standby: oneOf('off', 'warm'),
  events: oneOf('link', 'per-connection'),
  log: isFunction,
  layer: any,
  env: isObject,
};
const HEARTBEAT: Rules = {
  message: isFrame,
  isReply: isFunction,
  required: isBoolean,
  expectEveryMs: between(50, 86_400_000),
};
const PROBE: Rules = {
  url: rule('a URL', (value) => URL.canParse(value as string, 'http://x')),
  crossOrigin: isBoolean,
  timeoutMs: between(50, 60_000),
};
const QUEUE: Rules = {
  maxBytes: between(0, Infinity),
  maxMessages: between(0, Infinity),
  overflow: oneOf('throw', 'drop-oldest'),
};

/**
 * Checks every option once and fills in the defaults.
 * @param own further options, those of the protocol above
 * @throws RangeError naming the option and the value
 */
export function resolveOptions(options: FailoverOptions = {}, own?: Rules): ResolvedOptions {
  const {
    policy,
    heartbeat = false,
    hedge = true,
    probe = {},
    queue = {},
    handshake,
    identify,
    serverNotices = false,
    allowedOrigins = [],
    standby = 'off',
    events = 'link',
    log,
    layer,
    env,
  } = validateFields(options, { ...RULES, ...own });
  if (heartbeat !== false && !validateFields(heartbeat, HEARTBEAT, 'heartbeat').expectEveryMs)
    validate('heartbeat.message', heartbeat.message, isFrame);
  const {
    maxBytes = 1_048_576,
    maxMessages = 1_000,
    overflow = 'throw',
  } = validateFields(queue, QUEUE, 'queue');
  if (standby === 'warm' && !identify && !serverNotices)
    throw badOption('identify', identify, 'a function: standby needs it');
  return {
    policy: resolvePolicy(policy),
    heartbeat,
    hedge,
    probe: probe !== false && {
      url: validateFields(probe, PROBE, 'probe').url,
      crossOrigin: probe.crossOrigin ?? false,
      timeoutMs: probe.timeoutMs ?? 3_000,
    },
    queue: { maxBytes, maxMessages, overflow },
    handshake,
    identify,
    log,
    layer,
    standby: standby === 'warm',
    allowedOrigins: allowedOrigins.map((origin) => new URL(origin).origin.replace(/^http/, 'ws')),
    serverNotices,
    events,
    env: { ...browserEnv(), ...env },
  };
}

function resolvePolicy(policy: FailoverOptions['policy'] = 'balanced'): Readonly<ReconnectPolicy> {
  const { preset = 'balanced', ...own } =
    typeof policy === 'string' ? { preset: policy } : validate('policy', policy, isObject);
  const result: ReconnectPolicy = {
    ...POLICIES[validate('policy', preset, oneOf(...Object.keys(POLICIES)))],
  };
  const rules = Object.keys(result).map((name) => [name, between(...policyLimits(name))] as const);
  validateFields(own, Object.fromEntries(rules), 'policy');
  for (const [name, value] of Object.entries(own) as [keyof ReconnectPolicy, number | undefined][])
    result[name] = value ?? result[name];
  for (const of of ['deadline', 'reply'] as const) {
    validate(`policy.${of}FloorMs`, result[`${of}FloorMs`], between(0, result[`${of}CapMs`]));
  }
  return Object.freeze(result);
}
