import type { Login } from './login.ts';
import type { Methods } from './methods.ts';
import type { Quiescence } from './quiescence.ts';
import type { Store } from './store.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { WireState } from './wire.ts';

/**
 * Publications without a name (`publish(null)`; Meteor's accounts publish the user that way) do not say when they are complete.
 * Their documents come after the answer to the login and after every `ready`. So what they have not mentioned after a resumed
 * login is removed only after this grace. Measured with Meteor 3.0.4: all answers leave a server within 30 ms of each other.
 */
const UNIVERSAL_GRACE_MS = 100;

/** Represents the session itself among the ids that withhold data. Ids of subscriptions and methods are never empty. */
const SESSION = '';

/**
 * What each new connection is sent, in one flight and in this order: the login, calls of `onReconnect` hooks, subscriptions,
 * calls without an answer. The `connect` message comes before all that, in the link's handshake.
 *
 * It normally leaves without waiting for `connected`. For a server that rejects whatever comes earlier
 * (`waitsForConnected`) it leaves when `connected` has arrived.
 */
export interface Replay {
  /** How many subscriptions are sent again on the current connection. */
  readonly resubscribed: number;
  /** A new connection is current. */
  start(): void;
  /** The server has accepted the session. */
  onConnected(): void;
  /** Sends what the current connection has not seen. */
  flush(): void;
}

export function createReplay(
  wire: WireState,
  hooks: ReadonlySet<() => void>,
  rooms: {
    readonly login: Pick<Login, 'resume'>;
    readonly methods: Pick<Methods, 'flush' | 'sendLogins' | 'settleAnswered'>;
    readonly subscriptions: Pick<Subscriptions, 'flush' | 'startReplay'>;
    readonly quiescence: Quiescence;
    readonly store: Pick<Store, 'withhold'>;
  },
): Replay {
  const { login, methods, subscriptions, quiescence, store } = rooms;
  let resubscribed = 0;
  let isSent = false;

  const flush = (): void => {
    subscriptions.flush();
    methods.flush();
  };

  const sendReplay = (): void => {
    isSent = true;
    wire.isPreamble = true;
    const resumeId = login.resume();
    if (resumeId !== undefined) quiescence.awaitAlso(resumeId, UNIVERSAL_GRACE_MS);
    // After the resume: a login that still waits for its answer replaces the token if it succeeds.
    methods.sendLogins();
    if (wire.epoch > 1) for (const hook of [...hooks]) wire.isolate(hook);
    wire.isPreamble = false;
    flush();
  };

  return {
    get resubscribed() {
      return resubscribed;
    },
    start() {
      isSent = false;
      const { ready, pending } = subscriptions.startReplay();
      resubscribed = ready.length + pending.length;
      quiescence.begin([...ready, SESSION], pending);
      store.withhold();
      if (!wire.waitsForConnected) sendReplay();
    },
    onConnected() {
      if (!isSent) sendReplay();
      else if (wire.waitsForConnected) {
        // The replay came too early for this server. What it rejected goes again.
        methods.sendLogins();
        flush();
      }
      // First of all that is due once the data is visible.
      quiescence.whenVisible(() => methods.settleAnswered());
      quiescence.settle(SESSION);
    },
    flush,
  };
}
