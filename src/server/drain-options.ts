import { constants } from 'node:os';
import {
  between,
  isAnything,
  isBoolean,
  isFunction,
  rule,
  validate,
  validateFields,
  type Rules,
} from '../shared/validate.ts';
import { isClients, type Clients } from './clients.ts';
import { ACCEPT_PER_SECOND, isAcceptRate } from './spread.ts';

export interface DrainOptions {
  /** The clients to tell and to wait for: one source or an array of several. */
  readonly clients: Clients;
  /**
   * How long clients may stay, in ms, 0 to 600 000. Those still here then are closed with 1012 (SockJS's raw WebSockets, and
   * so Meteor's `/websocket`, with 1000: no other code can be sent there).
   *
   * Whatever supervises the process must wait longer than `afterMs + 3 · graceMs` before it kills it. With the defaults this is
   * 9.5 s, within Docker's 10 s.
   * @default 8_000
   */
  readonly afterMs?: number;
  /**
   * Over how long clients should spread their moves, in ms, 0 to `afterMs`.
   * @default clients / acceptPerSecond, at most half of `afterMs`, so that the last client still has time to move
   */
  readonly spreadMs?: number;
  /** How many clients per second the other nodes together can accept, 1 to 1 000 000; see `nodeIdentity`. @default 200 */
  readonly acceptPerSecond?: number;
  /**
   * Where clients should go: a ws or wss URL. A client follows it only to its own origin or one of its `allowedOrigins`.
   * @default none: the client's own URL
   */
  readonly url?: string;
  /**
   * For how long HTTP is answered at least, in ms, 0 to 600 000, even if all clients have gone. Set it to the time the balancer
   * needs to see the health check fail and to stop sending requests.
   * @default 0
   */
  readonly lingerMs?: number;
  /**
   * How long each of the three last steps may take, in ms, 0 to 60 000: the closing handshakes of clients that are closed, the
   * end of their connections, `onDrained`.
   * @default 500
   */
  readonly graceMs?: number;
  /**
   * The signals that start the drain; a second one changes nothing. With `[]` only `start()` does.
   * @default ['SIGTERM']
   */
  readonly signals?: readonly string[];
  /** End the process when drained: with code 0, or with 1 if `onDrain` or `onDrained` failed. @default true */
  readonly exit?: boolean;
  /** Called once when the drain begins, for instance to take no more jobs from a queue. Must not throw. */
  readonly onDrain?: () => void;
  /** Called once when the server is closed, for instance to close the database. Awaited for up to `graceMs`. */
  readonly onDrained?: () => unknown;
}

/** DrainOptions after validation: complete, except for what may be missing. */
export interface ResolvedDrainOptions {
  readonly clients: DrainOptions['clients'];
  readonly spreadMs: DrainOptions['spreadMs'] | undefined;
  readonly url: DrainOptions['url'] | undefined;
  readonly onDrain: DrainOptions['onDrain'] | undefined;
  readonly onDrained: DrainOptions['onDrained'] | undefined;
  readonly afterMs: number;
  readonly acceptPerSecond: number;
  readonly lingerMs: number;
  readonly graceMs: number;
  readonly signals: readonly string[];
  readonly exit: boolean;
}

// Node throws for SIGKILL and SIGSTOP, which no process can handle, but only after other handlers are installed.
const isSignal = (name: unknown): boolean =>
  Object.hasOwn(constants.signals, name as string) && !/^SIG(KILL|STOP)$/.test(name as string);

const isWebSocketUrl = (value: unknown): boolean =>
  URL.canParse(value as string) && /^wss?:$/.test(new URL(value as string).protocol);

const RULES: Rules = {
  // Required, and checked below.
  clients: isAnything,
  afterMs: between(0, 600_000),
  // Checked below, against `afterMs`.
  spreadMs: isAnything,
  acceptPerSecond: isAcceptRate,
  url: rule('a ws or wss URL', isWebSocketUrl),
  lingerMs: between(0, 600_000),
  graceMs: between(0, 60_000),
  signals: rule(
    'an array of names of signals that can be handled',
    (value) => Array.isArray(value) && value.every(isSignal),
  ),
  exit: isBoolean,
  onDrain: isFunction,
  onDrained: isFunction,
};

/** @throws RangeError for a bad option, with its name and value */
export function resolveDrainOptions(options: DrainOptions): ResolvedDrainOptions {
  const {
    afterMs = 8_000,
    acceptPerSecond = ACCEPT_PER_SECOND,
    lingerMs = 0,
    graceMs = 500,
    signals = ['SIGTERM'],
    exit = true,
  } = validateFields(options, RULES);
  // Read by name, not copied: an app's options may be inherited, as from a class.
  const { clients, spreadMs, url, onDrain, onDrained } = options;
  validate('options.clients', clients, isClients);
  if (spreadMs !== undefined) validate('options.spreadMs', spreadMs, between(0, afterMs));
  return {
    clients,
    afterMs,
    spreadMs,
    acceptPerSecond,
    url,
    lingerMs,
    graceMs,
    signals,
    exit,
    onDrain,
    onDrained,
  };
}
