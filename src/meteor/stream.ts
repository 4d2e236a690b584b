import { OPEN } from '../core/facade/dom-events.ts';
import { isolate, type Env } from '../core/env/env.ts';
import { FailoverWebSocket } from '../core/facade/failover-websocket.ts';
import type { FailoverOptions, Leaving } from '../core/api/options.ts';
import { sameStatus } from '../core/rules/status.ts';
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
/** Subscriptions that are not ready are waited for so long: some never are. */
const READY_MS = 5_000;

const PING = '{"msg":"ping"}';
/** What answers a ping; a Meteor server that was sent no `connect` yet (a replacement on trial) answers with an error. */
const REPLY = /^\{"msg":"(pong"|error".*"offendingMessage":\{"msg":"ping")/s;
/** Notices to the link: Meteor would complain about them. */
const NOTICE = /^\{"msg":"(node|drain)"/;
const METHOD = /^\{"msg":"method"/;
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
  env: Env,
): FailoverStream {
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
  /** What the server has begun on the connection that serves. */
  let session: object | undefined = live ? {} : undefined;
  /** The session of a connection that is being left and still answers calls: the new one is not begun. */
  let departing: object | undefined;
  let permanent = false;
  /** Sent while the link was suspect. */
  let waiting: string[] = [];
  /** Calls that were made and not sent: of those even one with `noRetry` may go out on the next connection. */
  const unsent = new Set<string>();
  /** Ends the replay of the connection: everything revived is ready, or the connection is gone. */
  let revived = () => {};
  let replayed: Promise<number>;

  const invokers = () => client._methodInvokers ?? {};
  const subscriptions = () => client._subscriptions ?? {};

  const tell = (event: string, ...args: unknown[]): void =>
    isolate(env, () => stream.forEachCallback(event, (callback) => callback(...args)));

  const show = (status: MeteorStatus): void => {
    const same = sameStatus(status, stream.currentStatus);
    stream.currentStatus = status;
    if (!same) stream.statusChanged();
  };

  /**
   * Resolves when the calls under way in this session have their answers, or it is over. Meteor has no event for that. As long
   * as sends still go there, what is called meanwhile is waited for as well, and subscriptions until they are ready.
   */
  const idle = (): Promise<void> =>
    new Promise((resolve) => {
      const mine = departing ?? session;
      // Those that wait for another call are sent after it.
      const sent = () => Object.entries(invokers()).filter(([, { sentMessage }]) => sentMessage);
      const calls = sent();
      const until = env.now() + IDLE_MS;
      const look = (): void => {
        const lasts =
          mine && (mine === departing || mine === session) && (!live || original.currentStatus.connected);
        const busy =
          lasts &&
          (departing
            ? // What is called meanwhile goes to the next.
              calls.some(([id]) => id in invokers())
            : // Meteor removes what a subscription that is not ready yet has brought, to bring it again.
              sent().length > 0 ||
              (env.now() < until - IDLE_MS + READY_MS &&
                Object.values(subscriptions()).some(({ ready }) => !ready)));
        if (busy && env.now() < until) env.setTimeout(look, LOOK_MS);
        else resolve();
      };
      look();
    });

  /** Meteor starts over on the connection that is open. */
  const begin = (): void => {
    waiting = [];
    for (const id of unsent) if (id in invokers()) invokers()[id]!.sentMessage = false;
    unsent.clear();
    session = undefined;
    // Its own heartbeat would judge by rules of its own; the one it has going ends with `disconnect`.
    if (heartbeat) client._heartbeatInterval = 0;
    tell('disconnect');
    show(meteorStatus(serving!.status));
    tell('reset');
  };

  const deliver = (data: unknown): void => {
    if (CONNECTED.test(data as string)) session = {};
    if (!NOTICE.test(data as string)) tell('message', data);
    if (session && !client._waitingForQuiescence?.()) revived();
  };

  /** Meteor's own stream has done its part. */
  const retire = (): void => {
    if (!live) return;
    live = false;
    // To its app nothing ends with it.
    stream.currentStatus = original.currentStatus;
    const { statusChanged } = original;
    original.statusChanged = () => {};
    original.disconnect();
    original.statusChanged = statusChanged;
  };

  const serve = (mine: FailoverWebSocket): void => {
    const before = serving;
    retire();
    serving = mine;
    departing = undefined;
    before?.close();
    if (mine.readyState === OPEN) begin();
    else show(meteorStatus(mine.status));
  };

  const takeOver = async (mine: FailoverWebSocket): Promise<void> => {
    await idle();
    // Else disconnected, moved again, or needed sooner.
    if (mine === link && mine !== serving) serve(mine);
  };

  const leave = (): Leaving => {
    // A session that was refused answers nothing.
    const done = idle();
    const mine = (departing = session ?? {});
    session = undefined;
    return {
      frame: deliver,
      done,
      left() {
        // Left by the app, or for a node that drains as well, and is left now.
        if (departing !== mine) return;
        departing = undefined;
        if (link !== serving && link?.readyState === OPEN) serve(link);
        else if (serving?.readyState === OPEN) begin();
      },
    };
  };

  const dial = (url: string): void => {
    const address = endpointOf(url, !!raw, config, () => Math.floor(env.random() * 10));
    const settings: FailoverOptions = {
      serverNotices: true,
      ...options,
      heartbeat,
      events: 'link',
      layer: { replayed: () => replayed, leave },
    };
    const mine = raw ? new FailoverWebSocket(address, undefined, settings) : overSockjs(address, settings);
    // One that was on its way somewhere else.
    if (link !== serving) link?.close();
    link = mine;
    stream.rawUrl = url;
    mine.addEventListener('open', () => {
      if (mine !== serving) return void takeOver(mine);
      revived();
      replayed = new Promise((resolve) => {
        revived = () => resolve(Object.keys(subscriptions()).length);
      });
      if (!departing) begin();
    });
    mine.addEventListener('message', ({ data }) => {
      if (mine === serving && !departing) deliver(data);
    });
    mine.on('status', (status) => {
      if (mine !== serving) return;
      show(meteorStatus(status));
      if (status.name !== 'online' || !waiting.length) return;
      unsent.clear();
      for (const frame of waiting.splice(0)) mine.send(frame);
    });
    mine.on('down', (why) => {
      if (mine !== serving) return;
      session = undefined;
      revived();
      tell('disconnect', new Error(why.kind));
      if (link && link !== mine) serve(link);
    });
    if (!live && serving?.readyState !== OPEN) serve(mine);
  };

  const end = (): void => {
    // Meteor's server keeps the session of a client that may come back.
    if (client._receivedCount !== undefined && serving?.readyState === OPEN)
      serving.send('{"msg":"disconnect"}');
    retire();
    const links = new Set([link, serving]);
    link = serving = session = departing = undefined;
    for (const each of links) each?.close();
    revived();
    tell('disconnect');
  };

  const stream: FailoverStream = Object.assign(Object.create(original) as FailoverStream, {
    send(data: string) {
      if (live) return original.send(data);
      const open = serving?.readyState === OPEN && !departing;
      if (open && serving!.status.name !== 'suspect') return serving!.send(data);
      if (open) waiting.push(data);
      if (METHOD.test(data)) unsent.add((JSON.parse(data) as { id: string }).id);
    },
    reconnect(options?: ReconnectOptions) {
      if (permanent) return;
      if (options?.url || !link || link.readyState > OPEN) dial(options?.url || stream.rawUrl);
      else if (options?._force || !stream.currentStatus.connected) link.reconnect();
    },
    disconnect(options?: DisconnectOptions) {
      const { _permanent, _error } = options ?? {};
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
      if (live) return original._lostConnection(error);
      // It answers nothing any more.
      session = undefined;
      link?.reconnect();
    },
    remove() {
      const back = link && !live;
      client._stream = original;
      client._heartbeatInterval = interval;
      original.rawUrl = stream.rawUrl;
      if (live) {
        const given = link;
        link = session = undefined;
        return given?.close();
      }
      end();
      if (permanent) original.disconnect({ _permanent: true, _error: stream.currentStatus.reason });
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
