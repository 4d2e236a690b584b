import { FailoverError } from '../core/api/errors.ts';
import { formatValue } from '../shared/format-value.ts';
import { encode, type ServerMessage } from './messages.ts';
import type { Methods } from './methods.ts';
import type { Quiescence } from './quiescence.ts';
import type { Replay } from './replay.ts';
import type { Store } from './store.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Versions } from './versions.ts';
import type { WireState } from './wire.ts';

type ErrorMessage = Extract<ServerMessage, { msg: 'error' }>;

/** Takes each message of the current connection to the room it concerns. */
export function createDispatch(
  wire: WireState,
  rooms: {
    readonly store: Pick<Store, 'collection'>;
    readonly quiescence: Pick<Quiescence, 'settle' | 'whenVisible'>;
    readonly subscriptions: Pick<Subscriptions, 'onReady' | 'onNosub' | 'markUnsent'>;
    readonly methods: Pick<Methods, 'onResult' | 'onUpdated' | 'markUnsent'>;
    readonly replay: Pick<Replay, 'onConnected'>;
    readonly versions: Pick<Versions, 'isNegotiating' | 'accepted'>;
  },
  app: {
    /** Something the app did not ask for directly went wrong. */
    reportError(error: FailoverError): void;
    reportUnknown(name: string): void;
    /** The server asks for another version of DDP. */
    negotiateVersion(wanted: string): void;
  },
): (message: ServerMessage) => void {
  const { store, quiescence, subscriptions, methods, replay, versions } = rooms;

  const onError = ({ reason, offending: { msg, id } }: ErrorMessage): void => {
    if (!wire.isConnected && (id !== undefined || msg === 'ping')) {
      // This server rejects what comes before `connected`, and keeps the connection. What it names is sent again then, and later
      // connections wait.
      wire.waitsForConnected = true;
      subscriptions.markUnsent(id);
      return methods.markUnsent(id);
    }
    // Servers of DDP pre1 do not know pings.
    if (msg === 'ping') return;
    const about = msg === undefined ? 'a message' : `a message of kind ${formatValue(msg)}`;
    const error = new FailoverError('server', `The server rejected ${about} of this client: ${reason}`);
    methods.onResult(id, error, undefined);
    app.reportError(error);
  };

  return (message) => {
    if (!wire.hasConnection) return;
    if ('collection' in message) return store.collection(message.collection).apply(message);
    switch (message.msg) {
      case 'updated':
        return quiescence.whenVisible(() => methods.onUpdated(message.ids));
      case 'result':
        if (message.error?.kind === 'malformed') app.reportError(message.error);
        methods.onResult(message.id, message.error, message.result);
        return quiescence.settle(message.id);
      case 'ready':
        for (const id of message.ids) subscriptions.onReady(id, quiescence.whenVisible);
        return;
      case 'nosub': {
        const error = subscriptions.onNosub(message.id, message.error);
        if (error) app.reportError(error);
        return;
      }
      case 'connected':
        versions.accepted();
        wire.isConnected = true;
        return replay.onConnected();
      case 'ping':
        return wire.send(encode({ msg: 'pong', id: message.id }));
      case 'failed':
        // After `connected` there is nothing left to negotiate.
        return versions.isNegotiating ? app.negotiateVersion(message.version) : undefined;
      case 'error':
        return onError(message);
      case 'malformed':
        return app.reportError(message.error);
      case 'unknown':
        return app.reportUnknown(message.name);
      case 'ignored':
        return;
      default:
        message satisfies never;
    }
  };
}
