import { OPEN } from '../core/dom-events.ts';
import { isolate } from '../core/env.ts';
import { FailoverWebSocket } from '../core/failover-websocket.ts';
import { resolveOptions, type FailoverOptions } from '../core/options.ts';
import { overSockjs } from '../sockjs/link.ts';
import type {
  DisconnectOptions,
  MeteorConnection,
  MeteorStatus,
  MeteorStream,
  ReconnectOptions,
  RuntimeConfig,
} from './shape.ts';
import { meteorStatus } from './status.ts';
import { endpointOf } from './url.ts';

export interface StreamOptions extends FailoverOptions {
  readonly transport?: 'sockjs' | 'websocket' | undefined;
}

export interface FailoverStream extends MeteorStream {
  /** Dials, or serves; undefined while disconnected by the app. */
  readonly link: FailoverWebSocket | undefined;
  /** Puts Meteor's own stream back to work. */
  remove(): void;
}

/** How long calls under way on a connection that still works are waited for before it is left, and how often they are looked at, ms. */
const IDLE_MS = 10_000;
const LOOK_MS = 10;

const PING = '{"msg":"ping"}';
/** What answers a ping; a Meteor server that was sent no `connect` yet (a replacement on trial) answers with an error. */
const REPLY = /^\{"msg":"(pong"|error".*"offendingMessage":\{"msg":"ping")/s;
/** Notices to the link: Meteor would complain about them. */
const NOTICE = /^\{"msg":"(node|drain)"/;
const CONNECTED = /^\{"msg":"connected"/;

/**
 * A stream with the contract of Meteor's ClientStream, carried by a FailoverWebSocket. It inherits from the stream it
 * replaces: callbacks, the Tracker dependency of its status, and whatever else somebody may look for are still there.
 *
 * Meteor's Connection sends everything that matters again at `reset`. So nothing is queued here: what is sent while there is
 * no connection is dropped, what waits for a verdict on a suspect one goes out only if that answers after all.
 */
export function createStream(
  client: MeteorConnection,
  original: MeteorStream,
  { transport, ...options }: StreamOptions,
  config: RuntimeConfig,
): FailoverStream {
  const { env } = resolveOptions(options);
  const { DISABLE_SOCKJS, DDP_TRANSPORT = 'sockjs' } = config;
  const raw = transport ? transport === 'websocket' : DISABLE_SOCKJS || DDP_TRANSPORT !== 'sockjs';
  const heartbeat = options.heartbeat ?? {
    message: PING,
    isReply: (data) => REPLY.test(data as string),
    required: true,
  };
  const interval = client._heartbeatInterval!;

  let link: FailoverWebSocket | undefined;
  /** The link whose frames are the app's: `link`, or the one it is to replace. */
  let serving: FailoverWebSocket | undefined;
  /** Meteor's own stream serves until the link is open. */
  let live = original.currentStatus.connected;
  /** A connection being left still answers calls: the new one is not begun. */
  let departing = false;
  let permanent = false;
  /** The server has begun a session on this connection. */
  let greeted = false;
  /** Sent while the link was suspect. */
  let waiting: string[] = [];
  /** Ends the replay of the connection: everything revived is ready, or the connection is gone. */
  let revived = () => {};
  let replayed: Promise<number>;

  const tell = (event: string, ...args: unknown[]): void =>
    isolate(env, () => stream.forEachCallback(event, (callback) => callback(...args)));

  const show = (status: MeteorStatus): void => {
    const { currentStatus } = stream;
    const same = Object.keys({ ...status, ...currentStatus }).every(
      (key) => status[key as keyof MeteorStatus] === currentStatus[key as keyof MeteorStatus],
    );
    stream.currentStatus = status;
    if (!same) stream.statusChanged();
  };

  /** Resolves when the calls under way have their answers. Meteor has no event for that. */
  const idle = (): Promise<void> =>
    new Promise((resolve) => {
      const mine = link;
      const calls = Object.keys(client._methodInvokers ?? {});
      const until = env.now() + IDLE_MS;
      const look = (): void => {
        const busy = calls.some((id) => id in client._methodInvokers!);
        if (busy && mine === link && env.now() < until) env.setTimeout(look, LOOK_MS);
        else resolve();
      };
      look();
    });

  /** Meteor starts over on the connection that is open. */
  const begin = (): void => {
    waiting = [];
    greeted = false;
    // Its own heartbeat would judge by rules of its own; the one it has going ends with `disconnect`.
    if (heartbeat) client._heartbeatInterval = 0;
    tell('disconnect');
    show(meteorStatus(link!.status));
    tell('reset');
  };

  const deliver = (data: unknown): void => {
    greeted ||= CONNECTED.test(data as string);
    if (!NOTICE.test(data as string)) tell('message', data);
    if (greeted && !client._waitingForQuiescence?.()) revived();
  };

  /** Meteor's own stream has done its part. */
  const retire = (): void => {
    if (!live) return;
    live = false;
    // To its app nothing ends with it.
    stream.currentStatus = original.currentStatus;
    original.disconnect();
  };

  const takeOver = async (mine: FailoverWebSocket): Promise<void> => {
    const before = serving;
    if (before || live) await idle();
    // Disconnected or moved again meanwhile, or lost and opened again.
    if (mine !== link || mine === serving) return;
    retire();
    serving = mine;
    departing = false;
    before?.close();
    if (mine.readyState === OPEN) begin();
    else show(meteorStatus(mine.status));
  };

  const dial = (url: string): void => {
    const address = endpointOf(url, !!raw, config, () => Math.floor(env.random() * 10));
    const settings: FailoverOptions = {
      serverNotices: true,
      ...options,
      heartbeat,
      events: 'link',
      layer: {
        replayed: () => replayed,
        leave() {
          departing = true;
          return {
            frame: deliver,
            // A session that was refused answers nothing.
            done: greeted ? idle() : Promise.resolve(),
            left() {
              if (mine !== serving) return;
              departing = false;
              if (mine.readyState === OPEN) begin();
            },
          };
        },
      },
    };
    const mine = raw ? new FailoverWebSocket(address, undefined, settings) : overSockjs(address, settings);
    // One that was to replace it, and has not yet.
    if (link !== serving) link?.close();
    link = mine;
    stream.rawUrl = url;
    mine.addEventListener('open', () => {
      revived();
      replayed = new Promise((resolve) => {
        revived = () => resolve(Object.keys(client._subscriptions ?? {}).length);
      });
      if (mine !== serving) void takeOver(mine);
      else if (!departing) begin();
    });
    mine.addEventListener('message', ({ data }) => {
      if (mine === serving && !departing) deliver(data);
    });
    mine.on('status', (status) => {
      if (mine !== serving) return;
      show(meteorStatus(status));
      if (status.name === 'online') for (const frame of waiting.splice(0)) mine.send(frame);
    });
    mine.on('down', (why) => {
      if (mine !== serving) return;
      revived();
      tell('disconnect', new Error(why.kind));
      // The one that is to replace it is dialling already.
      if (mine === link) return;
      serving = link;
      mine.close();
      show(meteorStatus(link!.status));
    });
    if (!live && serving?.readyState !== OPEN) {
      const before = serving;
      serving = mine;
      before?.close();
      show(meteorStatus(mine.status));
    }
  };

  const end = (): void => {
    // Meteor's server keeps the session of a client that may come back.
    if (client._receivedCount !== undefined && serving?.readyState === OPEN)
      serving.send('{"msg":"disconnect"}');
    retire();
    const links = new Set([link, serving]);
    link = serving = undefined;
    for (const each of links) each?.close();
    revived();
    tell('disconnect');
  };

  const stream: FailoverStream = Object.assign(Object.create(original) as FailoverStream, {
    send(data: string) {
      if (live) original.send(data);
      else if (serving?.readyState !== OPEN || departing) return;
      else if (serving.status.name === 'suspect') waiting.push(data);
      else serving.send(data);
    },
    reconnect({ url, _force }: ReconnectOptions = {}) {
      if (permanent) return;
      if (url !== undefined || !link || link.readyState > OPEN) dial(url ?? stream.rawUrl);
      else if (_force || !stream.currentStatus.connected) link.reconnect();
    },
    disconnect({ _permanent, _error }: DisconnectOptions = {}) {
      if (permanent) return;
      permanent = !!_permanent;
      end();
      show({
        status: permanent ? 'failed' : 'offline',
        connected: false,
        retryCount: 0,
        ...(permanent && _error !== undefined && { reason: _error }),
      });
    },
    _lostConnection(error?: unknown) {
      if (live) original._lostConnection(error);
      else link?.reconnect();
    },
    remove() {
      const back = link && !live;
      client._stream = original;
      client._heartbeatInterval = interval;
      original.rawUrl = stream.rawUrl;
      if (live) return link?.close();
      end();
      if (permanent) original.disconnect({ _permanent: true });
      else if (back) original.reconnect();
      else original.statusChanged();
    },
  });
  Object.defineProperty(stream, 'link', { get: () => link });

  client._stream = stream;
  const { status } = original.currentStatus;
  // Disconnected by the app, or for good: so it stays.
  permanent = status === 'failed';
  if (permanent || status === 'offline') return stream;
  if (!live) original.disconnect();
  dial(original.rawUrl);
  return stream;
}
