import { between, oneOf, rule, type Rules, badOption } from '../shared/validate.ts';
import { FailoverError } from '../core/api/errors.ts';
import type { FailoverWebSocket } from '../core/facade/failover-websocket.ts';
import { resolveOptions, type FailoverOptions } from '../core/api/options.ts';
import { isKnown, type MeteorConnection, type RuntimeConfig } from './shape.ts';
import { createStream } from './stream.ts';

declare const __meteor_runtime_config__: RuntimeConfig | undefined;

/** As for FailoverWebSocket, with the defaults that suit Meteor: DDP's own ping, its servers' notices. */
export interface MeteorFailoverOptions extends Omit<FailoverOptions, 'layer' | 'events' | 'standby'> {
  /**
   * `sockjs`: WebSocket paths of Meteor's SockJS server, a new one for every dial, which spares Firefox its penalty.
   * `websocket`: the raw `/websocket`, the same for all.
   * @default what the app's server says: `websocket` with `DISABLE_SOCKJS` or another `DDP_TRANSPORT` than sockjs
   */
  readonly transport?: 'sockjs' | 'websocket';
  /**
   * WebSockets only: no request to `/sockjs/info`, no polling. Where some users have networks that let no WebSocket through,
   * a link that was never up for so long (ms, at least 1 000) is given back to Meteor's own stream, which falls back to polling.
   * @default Infinity
   */
  readonly fallbackAfterMs?: number;
}

/** Puts Meteor's own stream back; everything subscribed goes on there. */
export interface Uninstall {
  (): void;
  /**
   * The link in use, for its events, status and stats; another one after `disconnect()` or `reconnect({ url })`. Undefined while the
   * app has disconnected, and where nothing was installed.
   */
  readonly link: FailoverWebSocket | undefined;
}

const none = rule('none for Meteor', () => false);
/** What is added to the link's options, and taken from them. */
const RULES: Rules = {
  transport: oneOf('sockjs', 'websocket'),
  // Sooner it would give up on a connection that is only slow.
  fallbackAfterMs: between(1_000, Infinity),
  standby: none,
  layer: none,
  events: none,
};

const installed = new WeakMap<MeteorConnection, Uninstall>();

/**
 * Lets a FailoverWebSocket carry a Meteor connection: `Meteor.subscribe`, `Meteor.call`, minimongo, Tracker, accounts and
 * `Meteor.status()` go on unchanged. On a live connection Meteor's own stream serves until the replacement is open and the calls
 * under way are answered (at most 10 s). Installing it on the same connection again changes nothing.
 *
 * A connection of a Meteor that it does not know, or with `retry: false`, stays on its own stream, with a warning.
 *
 * @example
 * import { installFailover } from 'failover-websocket/meteor';
 *
 * installFailover(Meteor.connection, { policy: 'fast' });
 *
 * @param meteor `Meteor.connection`, or what `DDP.connect` returned
 * @throws RangeError naming the option and the value; FailoverError `unsupported` without a WebSocket class
 */
export function installFailover(meteor: object, options: MeteorFailoverOptions = {}): Uninstall {
  // Typed loosely: Meteor's own types know no `Meteor.connection`, and say little of what `DDP.connect` returns.
  const client = meteor as MeteorConnection;
  if (typeof client !== 'object' || !client) throw badOption('connection', client, 'a Meteor one');
  const { env } = resolveOptions(options, RULES);
  const { fallbackAfterMs = Infinity, ...rest } = options;
  const before = installed.get(client);
  if (before) return before;

  const original = client._stream;
  if (!isKnown(original) || original.options?.retry === false) {
    const why =
      'installFailover: not a connection that is known, or one with retry: false; it stays as it is';
    console.warn(`failover-websocket: ${why}`);
    return Object.assign(() => {}, { link: undefined });
  }
  if (!env.WebSocket) throw new FailoverError('unsupported', 'env.WebSocket: none');
  const config = typeof __meteor_runtime_config__ === 'undefined' ? {} : __meteor_runtime_config__;
  const stream = createStream(client, original, rest, config, env);
  const uninstall = (): void => {
    if (installed.get(client) !== handle) return;
    installed.delete(client);
    env.clearTimeout(timer);
    stream.remove();
    // A hidden page may have kept its time in a Worker.
    env.dispose?.();
  };
  const handle = Object.defineProperty(uninstall, 'link', { get: () => stream.link }) as Uninstall;
  installed.set(client, handle);
  const timer =
    fallbackAfterMs < Infinity &&
    env.setTimeout(() => {
      const { link } = stream;
      if (!link || link.stats().opens) return;
      console.warn(`failover-websocket: no connection in ${fallbackAfterMs} ms, back to Meteor's own stream`);
      uninstall();
    }, fallbackAfterMs);
  return handle;
}
