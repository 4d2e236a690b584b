import { validate, isObject } from '../shared/validate.ts';
import { isolate, type Env } from '../core/env/env.ts';
import { FailoverError } from '../core/api/errors.ts';
import { formatValue } from '../shared/format-value.ts';
import type { FailoverEvents, Stats, Status } from '../core/api/events.ts';
import { resolveOptions, type FailoverOptions, type Leaving } from '../core/api/options.ts';
import { createStore, type Store } from './store.ts';
import type { DDPError } from './errors.ts';
import type { DDPEvents, DDPStats } from './events.ts';
import { encode, isPong, parseMessage, PING, VERSIONS, type ServerMessage } from './messages.ts';
import { createMethods, type Methods } from './methods.ts';
import { DDP_RULES, type DDPOptions } from './options.ts';
import { createQuiescence } from './quiescence.ts';
import { createSubscriptions, type Subscriptions } from './subscriptions.ts';
import { createTokens } from './tokens.ts';
import type { Wire } from './wire.ts';

type Listen = <E extends keyof FailoverEvents>(event: E, fn: (...args: FailoverEvents[E]) => void) => unknown;

/** The part of FailoverWebSocket that DDP stands on. */
export interface DdpLink {
  readonly status: Status;
  stats(): Stats;
  send(frame: string): void;
  close(): void;
  reconnect(): void;
  addEventListener(type: 'open' | 'message' | 'close', fn: (event: Event) => void): void;
  readonly on: Listen;
  readonly once: Listen;
  readonly off: Listen;
}

/** Tells an event that is not the link's alone. */
export type Emit = <E extends 'error' | 'warning'>(event: E, arg: DDPEvents[E][0]) => void;

/**
 * Publications without a name (`publish(null)`; Meteor's accounts publish the user so) say nothing when they are complete, and
 * come after the answer to the login and after every `ready`. After a resumed login what they have not mentioned yet is removed
 * so much later: their answers leave a server within some 30 ms of each other (Meteor 3.0.4).
 */
const UNIVERSAL_MS = 100;

/** Stands for the session itself among the ids that hold back data. */
const CONNECTED = '';

/** What a client is made of. */
export interface Session<Link> {
  readonly link: Link;
  readonly env: Env;
  readonly subscribe: Subscriptions['add'];
  readonly apply: Methods['apply'];
  readonly collection: Store['collection'];
  readonly hooks: Set<() => void>;
  readonly counts: Pick<DDPStats, 'malformedFrames' | 'unknownMessages'>;
  /** Of the user who is logged in, as the server's answer named it. */
  userId(): string | undefined;
  login(credentials: unknown, method: string): Promise<unknown>;
  logout(): Promise<void>;
  /** Everything that still waits ends with this error. */
  end(error?: FailoverError): void;
}

/**
 * One DDP client over many connections. On each new one leaves, in one flight and this order: connect, login, what
 * `onReconnect` hooks call, subscriptions, calls without an answer. `connect` goes in the link's handshake, so that it may also
 * prove a replacement beside a suspect connection; the rest when that has become current.
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

  const hooks = new Set<() => void>();
  const counts = { malformedFrames: 0, unknownMessages: 0 };
  let userId: string | undefined;
  /** There is a connection, and it has been told where we stand. */
  let live = false;
  /** The server has taken this connection's session on. */
  let sessionStands = false;
  /** This server hears nothing before it has said `connected`. */
  let patient = false;
  /** What was waiting for `connected` has been sent. */
  let departed = false;
  /** The connection may be about to be replaced: what is sent now could be sent again with the replay. */
  let suspect = false;
  /** Subscriptions sent again on this connection. */
  let revived = 0;
  let ids = 0;
  let version = VERSIONS[0]!;
  /** Versions offered since the last success. */
  const offered = new Set<string>();

  const guard = (fn: () => void): void => isolate(env, fn);
  const wire: { -readonly [K in keyof Wire]: Wire[K] } = {
    epoch: 1,
    leaving: 0,
    greeting: false,
    closed: undefined,
    get usable() {
      return live && !suspect && (sessionStands || !patient);
    },
    send: (frame) => link.send(frame),
    guard,
    nextId: () => String(++ids),
  };
  const tokenStore = createTokens(env, tokenStorage, tokenKey);
  const store = createStore(guard);
  const quiescence = createQuiescence(
    env,
    quiescenceTimeoutMs,
    (sweep) => store.reveal(sweep),
    (awaited) => emit('warning', { kind: 'quiescence', message: `${awaited} answers are late` }),
  );
  const subscriptions = createSubscriptions(wire, (id) => quiescence.settle(id));
  const methods = createMethods(wire, env, queue, callTimeoutMs);

  /** Forgets who is logged in. */
  const forget = (): void => {
    tokenStore.set(undefined);
    userId = undefined;
  };

  const remember = (result: unknown): void => {
    const { id, token } = Object(result) as { id?: unknown; token?: unknown };
    if (typeof token === 'string') tokenStore.set(token);
    if (typeof id === 'string') userId = id;
  };

  const tell = (error: FailoverError): void => {
    if (error.kind === 'malformed') counts.malformedFrames += 1;
    emit('error', error);
  };

  /** Logs in with the token. A refusal is told, and not tried again. */
  const resume = (token: string): void => {
    methods
      .apply('login', [{ resume: token }], { retry: false }, (result) => {
        // Unless the app has logged out meanwhile.
        if (tokenStore.get() === token) remember(result);
      })
      .catch((cause: FailoverError) => {
        // Lost with its connection: the next one resumes anew.
        if (cause.kind !== 'server' && cause.kind !== 'timeout') return;
        // 403 is Meteor's word for a token that is none any more; a server in trouble says others.
        if ((cause as Partial<DDPError>).code === 403 && tokenStore.get() === token) forget();
        tell(new FailoverError('handshake', `login not resumed: ${cause.message}`, { cause }));
      });
  };

  const flush = (): void => {
    subscriptions.flush();
    methods.flush();
  };

  /** Everything this connection has to be told leaves in one flight. */
  const depart = (): void => {
    departed = true;
    wire.greeting = true;
    const token = tokenStore.get();
    if (token !== undefined) {
      resume(token);
      quiescence.await(String(ids), UNIVERSAL_MS);
    }
    // A login that waits for its answer will replace the token, if it succeeds.
    methods.greet();
    if (wire.epoch > 1) for (const hook of [...hooks]) guard(hook);
    wire.greeting = false;
    flush();
  };

  const lost = (): void => {
    if (!live) return;
    live = false;
    quiescence.cancel();
    if (wire.leaving !== wire.epoch) methods.lost(wire.epoch);
    wire.epoch += 1;
  };

  const end = (error = new FailoverError('closed', 'client closed')): void => {
    if (wire.closed) return;
    wire.closed = error;
    live = false;
    quiescence.cancel();
    methods.close(error);
    subscriptions.close(error);
    store.end();
  };

  /** The server wants another version: the next connection offers it, unless that was refused before. */
  const negotiate = (wanted: string): void => {
    if (VERSIONS.includes(wanted) && !offered.has(wanted)) {
      version = wanted;
      return link.reconnect();
    }
    const error = new FailoverError('handshake', `no common DDP version: ${formatValue(wanted)}`);
    tell(error);
    end(error);
    link.close();
  };

  const receive = (message: ServerMessage): void => {
    if (!live) return;
    if ('collection' in message) return store.collection(message.collection).apply(message);
    switch (message.msg) {
      case 'updated':
        return quiescence.after(() => methods.updated(message.ids));
      case 'result':
        if (message.error?.kind === 'malformed') tell(message.error);
        methods.result(message.id, message.error, message.result);
        return quiescence.settle(message.id);
      case 'ready':
        for (const id of message.ids) subscriptions.ready(id, (fn) => quiescence.after(fn));
        return;
      case 'nosub': {
        const error = subscriptions.nosub(message.id, message.error);
        if (error) tell(error);
        return;
      }
      case 'connected':
        offered.clear();
        sessionStands = true;
        if (!departed) depart();
        // Sent too early for this server.
        else if (patient) {
          methods.greet();
          flush();
        }
        // First of all that is due once the data is shown.
        quiescence.after(() => methods.caughtUp());
        return quiescence.settle(CONNECTED);
      case 'ping':
        return link.send(encode({ msg: 'pong', id: message.id }));
      case 'failed':
        // After `connected` there is nothing left to negotiate.
        return offered.size ? negotiate(message.version) : undefined;
      case 'error': {
        const { msg, id } = message.offending;
        const error = new FailoverError('server', `server: ${message.reason}`);
        if (!sessionStands && (id !== undefined || msg === 'ping')) {
          // It hears nothing before `connected`, but loses nothing: what it names goes again then, and from now on waits.
          patient = true;
          subscriptions.unsent(id);
          return methods.unsent(id);
        }
        // Servers of DDP pre1 know no pings.
        if (msg === 'ping') return;
        methods.result(id as string, error, undefined);
        return tell(error);
      }
      case 'malformed':
        return tell(message.error);
      case 'unknown':
        counts.unknownMessages += 1;
        return emit('warning', { kind: 'notice', message: `unknown message ${formatValue(message.name)}` });
      case 'ignored':
        return;
      default:
        message satisfies never;
    }
  };

  /**
   * Another connection takes over while this one still works. Until the new one is replayed, whose data is held back as
   * always, and every call sent on this one is answered, what it says is taken as before.
   */
  const leave = (): Leaving => {
    const { epoch } = wire;
    // A session that was refused answers nothing.
    const wanted = sessionStands;
    if (wanted) wire.leaving = epoch;
    let shown: boolean | undefined;
    quiescence.after(() => (shown = true));
    return {
      frame(data) {
        const message = parseMessage(data);
        // Subscriptions are the new connection's matter, and changes to data that was never shown mean nothing.
        if ('collection' in message) {
          if (shown) store.collection(message.collection).applyLate(message);
        } else if (message.msg === 'result') methods.result(message.id, message.error, message.result);
        else if (message.msg === 'updated') {
          const updated = () => methods.updated(message.ids);
          if (shown) updated();
          else quiescence.after(updated);
        }
      },
      // Begun by the time it is asked: `open` follows at once.
      done: Promise.resolve().then(async () => {
        if (wanted) {
          await quiescence.settled;
          await methods.answered(epoch);
        }
      }),
      left() {
        if (wire.leaving === epoch) wire.leaving = 0;
        methods.lost(epoch);
        // A result without its `updated`: what it changed is among the new connection's data.
        if (live) quiescence.after(() => methods.caughtUp());
        flush();
      },
    };
  };

  const link = dial({
    ...rest,
    env,
    heartbeat: rest.heartbeat ?? { message: PING, isReply: isPong, required: true },
    // A lost connection is no end of this client.
    events: 'link',
    serverNotices,
    handshake: async (send, receive) => {
      await handshake?.(send, receive);
      offered.add(version);
      send(encode({ msg: 'connect', version, support: VERSIONS }));
    },
    layer: {
      replayed: () => quiescence.settled.then(() => revived),
      leave,
      unconfirmed: () => methods.unconfirmed(wire.epoch).length,
    },
  });
  link.addEventListener('open', () => {
    if (wire.closed) return;
    lost();
    live = true;
    sessionStands = departed = suspect = false;
    const { awaited, pending } = subscriptions.revive();
    revived = awaited.length + pending.length;
    awaited.push(CONNECTED);
    quiescence.begin(awaited, pending);
    store.withhold();
    if (!patient) depart();
  });
  link.addEventListener('message', (event) => receive(parseMessage((event as MessageEvent).data)));
  link.addEventListener('close', () => end());
  link.on('giveup', end);
  link.on('down', lost);
  link.on('suspect', () => (suspect = true));
  link.on('status', ({ name }) => {
    // The suspect answered after all: nothing was replaced, what waited may go.
    if (name !== 'online' || !suspect) return;
    suspect = false;
    flush();
  });
  link.on('warning', (warning) => emit('warning', warning));

  return {
    link,
    env,
    subscribe: subscriptions.add,
    apply: methods.apply,
    collection: store.collection,
    hooks,
    counts,
    end,
    userId: () => userId,
    login: async (credentials, method) =>
      methods.apply(method, [validate('credentials', credentials, isObject)], {}, remember),
    async logout() {
      forget();
      // Again in the order of the server's answers: a login that was under way has brought a new token.
      await methods.apply('logout', [], {}, forget);
    },
  };
}
