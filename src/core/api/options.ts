import { badOption, isObject, rule, validate, validateFields, type Rules } from '../../shared/validate.ts';
import { browserEnv } from '../env/browser.ts';
import { type Env } from '../env/env.ts';
import type { FailureKind } from './failure.ts';
import type { Frame } from './frame.ts';
import {
  ENV_RULES,
  HEARTBEAT_RULES,
  isFrame,
  OPTION_RULES,
  PROBE_RULES,
  QUEUE_RULES,
} from './option-rules.ts';
import type { PolicyName, ReconnectPolicy } from './reconnect-policy.ts';
import { resolvePolicy } from './resolve-policy.ts';

/**
 * What a URL or protocol provider receives about the dial it is asked for.
 *
 * @example
 * const url: UrlProvider = async ({ cause, signal }) => {
 *   const fresh = cause === 'unauthorized';
 *   const response = await fetch(fresh ? '/ticket?fresh' : '/ticket', { signal });
 *   if (response.status === 401) throw new Error('logged out'); // with cause `unauthorized` this ends the link
 *   return `wss://example.org/ws?ticket=${await response.text()}`;
 * };
 */
export interface DialContext {
  /** Number of the dial in this outage, from 1; it starts anew when a replacement is proven. */
  readonly attempt: number;
  /** Why this dial is needed; undefined for the very first. `unauthorized` asks for fresh credentials. */
  readonly cause: FailureKind | undefined;
  /** Aborted when the answer is no longer wanted. */
  readonly signal: AbortSignal;
}

/**
 * Returns the address, or several, before every dial; it has `policy.deadlineCapMs` to answer. A rejection, a bad address
 * or a late answer counts as a failed dial and is paced like one. With cause `unauthorized` a rejection ends the link,
 * unless it is a TypeError, as of a failed `fetch`. See DialContext for an example.
 */
export type UrlProvider = (
  context: DialContext,
) => string | URL | readonly string[] | Promise<string | URL | readonly string[]>;
/**
 * Where to dial: one address, several, or a provider. Relative and http(s) URLs are taken as `WebSocket` takes them.
 * `{attempt}` in an address becomes a token that is new for every dial. Of several, the one whose last failure is oldest
 * goes first.
 */
export type UrlSource = string | URL | readonly string[] | UrlProvider;
/** WebSocket subprotocols, or a provider of them that is asked before every dial, under the terms of UrlProvider. */
export type ProtocolSource =
  string | string[] | ((context: DialContext) => string | string[] | Promise<string | string[]>);

/**
 * How a hang is noticed. Ping and reply are messages of the app's protocol, because script has no access to WebSocket
 * pings. `message` makes the heartbeat active: it pings after `policy.quietMs` of silence, and waits for a reply between
 * `policy.replyFloorMs` and `policy.replyCapMs`. `expectEveryMs` makes it passive: it only listens.
 *
 * @example
 * const active: Heartbeat = { message: 'ping', isReply: (data) => data === 'pong' };
 * const passive: Heartbeat = { expectEveryMs: 10_000 };
 */
export type Heartbeat =
  | {
      /** The ping, or a function that returns one. A function must not throw: then no ping goes out, with a warning. */
      readonly message: Frame | (() => Frame);
      /**
       * Returns true for the reply, which the app then does not see. It must not throw: that counts as false, with a
       * warning. @default any frame counts as the reply, and the app sees it
       */
      readonly isReply?: (data: unknown) => boolean;
      /**
       * True if the protocol obliges every server to answer. A heartbeat that two connections never answered is switched
       * off with a warning, because the server probably knows none. With `required` this happens only if other frames
       * came in on those connections. @default false (DDPClient: true)
       */
      readonly required?: boolean;
      readonly expectEveryMs?: undefined;
    }
  | {
      /**
       * The server is known to send a frame at least this often, 50 to 86 400 000 ms. After half as long again without
       * one the connection is suspect.
       */
      readonly expectEveryMs: number;
      readonly message?: undefined;
    };

/**
 * An HTTP request that asks why dials fail. It runs beside the dial that follows the second failure of an outage, every
 * fourth after that, or one that hung; no dial waits for it, and it spends from `policy.dialsPerMinute`. Its answer changes
 * the pace of the dials and the advice in the report; it never ends the link.
 *
 * @example
 * const probe: ProbeOptions = { url: 'https://api.example.org/up', crossOrigin: true, timeoutMs: 2_000 };
 */
export interface ProbeOptions {
  /** Address to ask, absolute or relative to the page. @default the WebSocket URL over http(s), without query */
  readonly url?: string;
  /**
   * True to ask origins other than the page's too. They see a request, and without CORS headers the answer stays hidden.
   * Outside a page every origin is another one. @default false
   */
  readonly crossOrigin?: boolean;
  /** Milliseconds the request may take, 50 to 60 000. @default 3_000 */
  readonly timeoutMs?: number;
}

/**
 * Bounds of the queue in which frames wait for a connection.
 *
 * @example
 * const queue: Partial<QueueOptions> = { maxMessages: 50, overflow: 'drop-oldest' };
 */
export interface QueueOptions {
  /** Bytes that may wait, 0 to Infinity. 0: only empty frames wait. @default 1_048_576 (1 MiB) */
  readonly maxBytes: number;
  /** Frames that may wait, 0 to Infinity. 0: none waits. @default 1_000 */
  readonly maxMessages: number;
  /**
   * What happens to a frame that does not fit. `throw`: `send` throws a FailoverError `overflow`. `drop-oldest`: the
   * oldest waiting frames make room; a frame that could never fit still throws. An `overflow` event reports either.
   * @default 'throw'
   */
  readonly overflow: 'throw' | 'drop-oldest';
}

/**
 * Options of a FailoverWebSocket. They are checked once, when the link is made: a bad value or an unknown name throws a
 * RangeError that names the option, what was expected and what came. `undefined` counts as left out.
 *
 * @example
 * new FailoverWebSocket('wss://example.org/ws', undefined, {
 *   policy: 'fast',
 *   heartbeat: { message: 'ping', isReply: (data) => data === 'pong' },
 *   queue: { maxMessages: 50, overflow: 'drop-oldest' },
 *   probe: { url: '/up' },
 * });
 */
export interface FailoverOptions {
  /**
   * When to ping and when to dial: a preset, or fields of ReconnectPolicy laid over a `preset`. @default 'balanced'
   * @example new FailoverWebSocket(url, undefined, { policy: 'frugal' });
   * @example new FailoverWebSocket(url, undefined, { policy: { preset: 'fast', maxAttempts: 20 } });
   */
  readonly policy?: PolicyName | (Partial<ReconnectPolicy> & { readonly preset?: PolicyName });
  /**
   * How a hang is noticed. `false`: it is not noticed until the engine or a proxy ends the connection.
   * @default false (DDPClient: DDP's own ping)
   * @example new FailoverWebSocket(url, undefined, { heartbeat: { message: 'ping', isReply: (data) => data === 'pong' } });
   */
  readonly heartbeat?: Heartbeat | false;
  /**
   * True: a suspect connection stays in place while a replacement is dialled, and is left only when that is up. False: it
   * is dropped first, so that the server never sees two connections of one client. @default true
   */
  readonly hedge?: boolean;
  /**
   * An HTTP request beside failing dials that asks why they fail. `false` turns it off. @default {}
   * @example new FailoverWebSocket(url, undefined, { probe: { url: '/up', timeoutMs: 2_000 } });
   */
  readonly probe?: ProbeOptions | false;
  /**
   * Bounds of the queue in which frames wait for a connection. Fields that are left out get their own defaults.
   * @default { maxBytes: 1_048_576, maxMessages: 1_000, overflow: 'throw' }
   * @example new FailoverWebSocket(url, undefined, { queue: { maxMessages: 50, overflow: 'drop-oldest' } });
   */
  readonly queue?: Partial<QueueOptions>;
  /**
   * Runs on every new connection before anything else is sent on it, for frames that authenticate. It has
   * `policy.deadlineCapMs`. `receive()` resolves with the data of the next frame, which the app then does not see. It
   * rejects with a FailoverError `closed` when the connection or the handshake ends. A rejection of the handshake fails
   * the dial; a FailoverError of kind `unauthorized` also asks the providers for fresh credentials. @default none
   * @example
   * const handshake: FailoverOptions['handshake'] = async (send, receive) => {
   *   send(JSON.stringify({ auth: token() }));
   *   if ((await receive()) !== 'welcome') throw new FailoverError('unauthorized', 'The token has expired.');
   * };
   */
  readonly handshake?: (send: (frame: Frame) => void, receive: () => Promise<unknown>) => Promise<void>;
  /**
   * Names the node that a connection leads to. It is called with the data of each frame of a new connection until it
   * returns a name. It must not throw: that counts as undefined, with a warning. @default none
   * @example new FailoverWebSocket(url, undefined, { identify: (data) => /^hello from (\w+)/.exec(String(data))?.[1] });
   */
  readonly identify?: (data: unknown) => string | undefined;
  /**
   * True to understand notices from the server: `{"msg":"drain","afterMs":…,"spreadMs":…}` and
   * `{"msg":"node","id":…,"spreadMs":…}`. It is off on a plain link, where a text that another user sent could look like
   * one. @default false (DDPClient: true)
   */
  readonly serverNotices?: boolean;
  /**
   * Origins to which the `url` of a drain notice may send the link, such as `https://b.example.org`; `wss:` and `https:`
   * mean the same here. A hint to any other origin is ignored. @default []
   */
  readonly allowedOrigins?: readonly string[];
  /**
   * `warm` keeps a second connection open to another node, silent but for a heartbeat. After a failure it takes over for
   * the price of one round trip. `identify` or `serverNotices` has to name the nodes. Do not use it with a server that
   * streams constantly: a standby with more than 100 frames waiting is ended. @default 'off'
   * @example new FailoverWebSocket(url, undefined, { standby: 'warm', serverNotices: true, heartbeat: { message: 'ping' } });
   */
  readonly standby?: 'off' | 'warm';
  /**
   * When `close` is dispatched. `link`: once, when the link will not dial again. `per-connection`: also for every lost
   * connection, for code written for reconnecting-websocket. @default 'link'
   */
  readonly events?: 'link' | 'per-connection';
  /**
   * Called for every event of FailoverEvents, before its listeners: its level, its name and its detail, fit for JSON and
   * with URLs that have no userinfo and query. What it throws is reported as uncaught. @default none
   * @example new FailoverWebSocket(url, undefined, { log: (level, event, detail) => console[level](event, detail) });
   */
  readonly log?: (level: LogLevel, event: string, detail: unknown) => void;
  /** For a protocol above the link that replays more than `subscriptions` holds, as DDPClient does. @default none */
  readonly layer?: Layer;
  /**
   * Replaces parts of the outside world, for Node and for tests. @default the browser's
   * @example new FailoverWebSocket(url, undefined, { env: { WebSocket } }); // of the `ws` package, on Node 20
   */
  readonly env?: Partial<Env>;
}

/**
 * Level of a `log` call. `debug`: status, attempt, probe. `info`: up, failover, drain. `warn`: down, suspect, warning.
 * `error`: overflow, giveup.
 */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** A protocol above the link. Its methods must neither throw nor reject. */
export interface Layer {
  /**
   * Called when a replacement is up. Resolves when everything is replayed, with how much that was. The `failover` report
   * waits for it.
   */
  replayed(): Promise<number>;
  /** Called when another connection takes over from one that still works; `open` follows. */
  leave(): Leaving;
  /**
   * Called when the current connection is given up. Returns how much of what was sent on it may or may not have arrived
   * and is not sent again. @default the number of frames that no later ping has confirmed
   */
  unconfirmed?(): number;
}

/** What a layer does with a connection that is being left. */
export interface Leaving {
  /** Called with the data of every frame that still comes in on it. */
  frame(data: unknown): void;
  /** Resolves when the connection is no longer needed. The link waits for it, at most `policy.deadlineCapMs`. */
  readonly done: Promise<unknown>;
  /** Called when the connection is gone, whether it was still needed or not. */
  left(): void;
}

/** FailoverOptions after the check: complete, with all defaults. */
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

/** `heartbeat` and `probe` can be switched off. */
const isObjectOrFalse = rule('an object, or false', (value) => value === false || isObject(value));

/**
 * Checks every option once and fills in the defaults.
 * @param own rules for further options, those of the protocol above the link
 * @throws RangeError naming the option, what was expected and what came
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
    env = {},
  } = validateFields(options, { ...OPTION_RULES, ...own });
  checkHeartbeat(heartbeat);
  validateFields(env, ENV_RULES, 'env');
  const {
    maxBytes = 1_048_576,
    maxMessages = 1_000,
    overflow = 'throw',
  } = validateFields(queue, QUEUE_RULES, 'queue');
  if (standby === 'warm' && !identify && !serverNotices)
    throw badOption(
      'options.identify',
      identify,
      "a function, since `standby` is 'warm'",
      'A standby has to lead to another node: name the nodes by `identify`, or set `serverNotices: true`.',
    );
  return {
    policy: resolvePolicy(policy),
    heartbeat,
    hedge,
    probe: resolveProbe(probe),
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

function checkHeartbeat(heartbeat: Heartbeat | false): void {
  const given = validate('heartbeat', heartbeat, isObjectOrFalse);
  if (given === false) return;
  const { expectEveryMs, message } = validateFields(given, HEARTBEAT_RULES, 'heartbeat');
  if (!expectEveryMs) validate('heartbeat.message', message, isFrame);
  else if (message !== undefined)
    throw badOption(
      'heartbeat',
      'both',
      'either `message` or `expectEveryMs`',
      'Ping with `message`, or listen only with `expectEveryMs`.',
    );
}

function resolveProbe(probe: ProbeOptions | false): ResolvedOptions['probe'] {
  const given = validate('probe', probe, isObjectOrFalse);
  if (given === false) return false;
  const { url, crossOrigin = false, timeoutMs = 3_000 } = validateFields(given, PROBE_RULES, 'probe');
  return { url, crossOrigin, timeoutMs };
}
