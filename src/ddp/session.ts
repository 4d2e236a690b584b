import { validate, isObject } from '../shared/validate.ts';
import type { Env } from '../core/env/env.ts';
import { FailoverError } from '../core/api/errors.ts';
import { formatValue } from '../shared/format-value.ts';
import { resolveOptions, type FailoverOptions } from '../core/api/options.ts';
import { createDispatch } from './dispatch.ts';
import type { DDPEvents, DDPStats } from './events.ts';
import { leaveConnection } from './leaving.ts';
import { createLogin, type Login } from './login.ts';
import { isPong, parseMessage, PING, VERSIONS } from './messages.ts';
import { createMethods, type Methods } from './methods.ts';
import { DDP_RULES, type DDPOptions } from './options.ts';
import { createQuiescence } from './quiescence.ts';
import { createReplay } from './replay.ts';
import { createStore, type Store } from './store.ts';
import { createSubscriptions, type Subscriptions } from './subscriptions.ts';
import { createVersions } from './versions.ts';
import { createWire, type DdpLink, type WireState } from './wire.ts';

/** Emits an event that is not the link's alone. */
export type Emit = <E extends 'error' | 'warning'>(event: E, arg: DDPEvents[E][0]) => void;

/** What a client is made of. */
export interface Session<Link> {
  readonly link: Link;
  readonly env: Env;
  readonly subscribe: Subscriptions['subscribe'];
  readonly apply: Methods['apply'];
  readonly collection: Store['collection'];
  readonly login: Login;
  /** Run on every connection but the first. */
  readonly reconnectHooks: Set<() => void>;
  readonly counts: Pick<DDPStats, 'malformedFrames' | 'unknownMessages'>;
  /** Rejects everything that still waits. */
  end(error?: FailoverError): void;
}

/**
 * One DDP client over many connections: makes the rooms, and connects them with each other and with the link.
 *
 *     link ─▶ dispatch ─▶ store (collections)
 *       │        ├──────▶ subscriptions, methods, login
 *       │        └──────▶ quiescence (when new data becomes visible)
 *       ├─ open ▶ replay  (what each new connection is sent)
 *       └─ leave ▶ leaving (what the connection before still says)
 *
 * @throws RangeError for a bad option, and whatever `dial` throws
 */
export function createSession<Link extends DdpLink>(
  options: DDPOptions,
  emit: Emit,
  dial: (options: FailoverOptions) => Link,
): Session<Link> {
  const { serverNotices = true, ...own } = validate('options', options, isObject);
  const { env, queue, handshake } = resolveOptions({ ...own, serverNotices }, DDP_RULES);
  const { quiescenceTimeoutMs = 10_000, callTimeoutMs = 60_000, tokenStorage, tokenKey, ...rest } = own;

  const reconnectHooks = new Set<() => void>();
  const counts = { malformedFrames: 0, unknownMessages: 0 };
  const reportError = (error: FailoverError): void => {
    if (error.kind === 'malformed') counts.malformedFrames += 1;
    emit('error', error);
  };

  const wire = createWire(env, () => link);
  const versions = createVersions();
  const store = createStore(wire.isolate);
  const quiescence = createQuiescence(env, quiescenceTimeoutMs, store.reveal, (awaited) =>
    emit('warning', {
      kind: 'quiescence',
      message: `Not all awaited answers (to connect, login, subscriptions) arrived within ${quiescenceTimeoutMs} ms, ${awaited} ${awaited > 1 ? 'are' : 'is'} missing. Documents are shown as far as they are known. None is removed before these answers arrive.`,
    }),
  );
  const subscriptions = createSubscriptions(wire, quiescence.settle);
  const methods = createMethods(wire, env, queue, callTimeoutMs);
  const login = createLogin(env, wire, { at: tokenStorage, key: tokenKey }, methods.apply, reportError);
  const replay = createReplay(wire, reconnectHooks, { login, methods, subscriptions, quiescence, store });

  const end = (
    error = new FailoverError('closed', 'The DDPClient is closed. Make a new one to connect again.'),
  ): void => {
    if (wire.closeError) return;
    wire.closeError = error;
    wire.hasConnection = false;
    quiescence.cancel();
    methods.close(error);
    subscriptions.close(error);
    store.end();
  };

  const dropConnection = (): void => {
    if (!wire.hasConnection) return;
    wire.hasConnection = false;
    quiescence.cancel();
    if (wire.leavingEpoch !== wire.epoch) methods.failUnconfirmed(wire.epoch);
    wire.epoch += 1;
  };

  const dispatch = createDispatch(
    wire,
    { store, quiescence, subscriptions, methods, replay, versions },
    {
      reportError,
      reportUnknown(name) {
        counts.unknownMessages += 1;
        emit('warning', {
          kind: 'notice',
          message: `The server sent a message of the unknown kind ${formatValue(name)}. It was dropped.`,
        });
      },
      negotiateVersion(wanted) {
        // The next connection offers the other version.
        if (versions.switchTo(wanted)) return link.reconnect();
        const error = new FailoverError(
          'handshake',
          `No common DDP version: the server refused the offered one and asks for ${formatValue(wanted)}. This client speaks ${VERSIONS.join(', ')}. It is closed now.`,
        );
        reportError(error);
        end(error);
        link.close();
      },
    },
  );

  const link = dial({
    ...rest,
    env,
    heartbeat: rest.heartbeat ?? { message: PING, isReply: isPong, required: true },
    // `close` then means that the link is closed for good; a lost connection does not end this client.
    events: 'link',
    serverNotices,
    // `connect` belongs to the handshake: it also proves a replacement beside a suspect connection.
    handshake: async (send, receive) => {
      await handshake?.(send, receive);
      send(versions.offer());
    },
    layer: {
      replayed: () => quiescence.settled.then(() => replay.resubscribed),
      leave: () => leaveConnection(wire, { store, quiescence, methods, replay }),
      unconfirmed: () => methods.unconfirmed(wire.epoch).length,
    },
  });
  link.addEventListener('open', () => {
    if (wire.closeError) return;
    dropConnection();
    wire.hasConnection = true;
    wire.isConnected = wire.isSuspect = false;
    replay.start();
  });
  link.addEventListener('message', (event) => dispatch(parseMessage((event as MessageEvent).data)));
  link.addEventListener('close', () => end());
  link.on('giveup', end);
  link.on('down', dropConnection);
  link.on('warning', (warning) => emit('warning', warning));
  watchSuspicion(link, wire, replay.flush);

  return {
    link,
    env,
    subscribe: subscriptions.subscribe,
    apply: methods.apply,
    collection: store.collection,
    login,
    reconnectHooks,
    counts,
    end,
  };
}

/** Nothing is sent on a suspect connection. What waited leaves when the connection recovers; a replacement gets the replay. */
function watchSuspicion(link: DdpLink, wire: WireState, flush: () => void): void {
  link.on('suspect', () => (wire.isSuspect = true));
  link.on('status', ({ name }) => {
    if (name !== 'online' || !wire.isSuspect) return;
    wire.isSuspect = false;
    flush();
  });
}
