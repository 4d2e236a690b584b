import { FailoverError } from '../core/api/errors.ts';
import { resolveOptions, type FailoverOptions } from '../core/api/options.ts';
import type { Env } from '../core/env/env.ts';
import type { FailoverWebSocket } from '../core/facade/failover-websocket.ts';
import { between, oneOf, rule, validate, type Rule, type Rules } from '../shared/validate.ts';
import { createLinkFactory } from './link.ts';
import { isKnownStream, type MeteorConnection, type MeteorStream, type RuntimeConfig } from './shape.ts';
import { installStream, type FailoverStream } from './stream.ts';

declare const __meteor_runtime_config__: RuntimeConfig | undefined;

/**
 * The options of FailoverWebSocket, without `layer`, `events` and `standby`. Two defaults differ: `heartbeat` is DDP's own ping,
 * and `serverNotices` is true.
 */
export interface MeteorFailoverOptions extends Omit<FailoverOptions, 'layer' | 'events' | 'standby'> {
  /**
   * `sockjs`: the WebSocket paths of Meteor's SockJS server, with a new path for every dial. Firefox delays a dial to a path
   * that has just failed; a new path has no such delay. `websocket`: the raw `/websocket`, one path for all dials.
   * @default what the app's server says: `websocket` with `DISABLE_SOCKJS`, or with a `DDP_TRANSPORT` other than sockjs
   */
  readonly transport?: 'sockjs' | 'websocket';
  /**
   * The link uses WebSockets only: it sends no request to `/sockjs/info` and never polls. Set this if some of your users have
   * networks that let no WebSocket through. A link that has never been up after this time, in ms, 1 000 to Infinity, is given
   * back to Meteor's own stream, which falls back to polling.
   * @default Infinity (never given back)
   */
  readonly fallbackAfterMs?: number;
}

/** Puts Meteor's own stream back. Subscriptions and calls go on there. A second call does nothing. */
export interface Uninstall {
  (): void;
  /**
   * The link in use, for its events, status and stats. It is another object after `disconnect()` or `reconnect({ url })`.
   * Undefined while the app has disconnected, and if nothing was installed.
   */
  readonly link: FailoverWebSocket | undefined;
}

const isMeteorConnection = rule(
  '`Meteor.connection` or a connection that `DDP.connect` returned',
  (value) => typeof value === 'object' && value !== null,
  'On the server there is none: call it in client code.',
);
const isAbsent = (why: string): Rule => rule(`no value (${why})`, () => false);

/** Laid over the rules for a link's options. */
const RULES: Rules = {
  transport: oneOf('sockjs', 'websocket'),
  // A shorter time would give up connections that are only slow.
  fallbackAfterMs: between(1_000, Infinity),
  standby: isAbsent('a Meteor server does not name its node before `connect`'),
  layer: isAbsent('installFailover sets this option itself'),
  events: isAbsent('installFailover sets this option itself'),
};

const installed = new WeakMap<MeteorConnection, Uninstall>();

/**
 * Lets a FailoverWebSocket carry a Meteor connection. `Meteor.subscribe`, `Meteor.call`, minimongo, Tracker, accounts and
 * `Meteor.status()` work as before.
 *
 * You can install it at any time. On a live connection Meteor's own stream serves until the link is open, the calls under way
 * are answered (at most 10 s) and the subscriptions are ready (at most 5 s). A second call for the same connection changes
 * nothing and returns the first `uninstall`.
 *
 * A connection of an unknown Meteor version, or one made with `retry: false`, stays on its own stream. A warning on the console
 * says so.
 *
 * @example
 * import { Meteor } from 'meteor/meteor';
 * import { installFailover } from 'failover-websocket/meteor';
 *
 * const uninstall = installFailover(Meteor.connection, { policy: 'fast' });
 * uninstall.link?.on('failover', (report) => console.log(report));
 *
 * @param meteor `Meteor.connection`, or a connection that `DDP.connect` returned
 * @throws RangeError for a bad connection or option, with its name and value
 * @throws FailoverError `unsupported` if the environment has no WebSocket class
 */
export function installFailover(meteor: object, options: MeteorFailoverOptions = {}): Uninstall {
  validate('connection', meteor, isMeteorConnection);
  // Meteor's own types have no `Meteor.connection`, and say little about what `DDP.connect` returns.
  const client = meteor as MeteorConnection;
  const { env } = resolveOptions(options, RULES);
  const { fallbackAfterMs = Infinity, ...linkOptions } = options;
  const before = installed.get(client);
  if (before) return before;

  const ownStream = client._stream;
  const obstacle = findObstacle(ownStream);
  if (obstacle) {
    console.warn(
      `failover-websocket: installFailover changed nothing, the connection stays on its own stream. ${obstacle}`,
    );
    return Object.assign(() => {}, { link: undefined });
  }
  if (!env.WebSocket)
    throw new FailoverError(
      'unsupported',
      'No WebSocket in this environment. On Node 20 pass `env: { WebSocket }` from the `ws` package.',
    );
  const config = typeof __meteor_runtime_config__ === 'undefined' ? {} : __meteor_runtime_config__;
  const stream = installStream(client, ownStream, createLinkFactory(linkOptions, config, env), env);
  const uninstall = (): void => {
    if (installed.get(client) !== handle) return;
    installed.delete(client);
    env.clearTimeout(fallbackTimer);
    stream.uninstall();
    // In a hidden page the timers may run in a Worker, which ends with this.
    env.dispose?.();
  };
  const handle = Object.defineProperty(uninstall, 'link', { get: () => stream.link }) as Uninstall;
  installed.set(client, handle);
  const fallbackTimer = startFallbackTimer(env, fallbackAfterMs, stream, uninstall);
  return handle;
}

/** Why a stream cannot be replaced; undefined if it can. */
function findObstacle(stream: MeteorStream): string | undefined {
  if (!isKnownStream(stream))
    return 'Expected a client connection of Meteor 1.9 to 3.5, got an object without the parts that are used of it. Pass `Meteor.connection`, not `Meteor` itself.';
  // Its app wants no reconnection.
  if (stream.options?.retry === false)
    return 'Expected a connection that retries, got one made with `retry: false`.';
  return undefined;
}

/** Uninstalls if the link was never up. A network that lets no WebSocket through needs Meteor's polling. */
function startFallbackTimer(
  env: Env,
  fallbackAfterMs: number,
  stream: FailoverStream,
  uninstall: () => void,
): unknown {
  if (fallbackAfterMs === Infinity) return undefined;
  return env.setTimeout(() => {
    const { link } = stream;
    if (!link || link.stats().opens) return;
    console.warn(
      `failover-websocket: No WebSocket connection within ${fallbackAfterMs} ms (\`fallbackAfterMs\`). ` +
        "The connection goes back to Meteor's own stream, which may poll.",
    );
    uninstall();
  }, fallbackAfterMs);
}
