import type { Leaving } from '../core/api/options.ts';
import { parseMessage } from './messages.ts';
import type { Methods } from './methods.ts';
import type { Quiescence } from './quiescence.ts';
import type { Replay } from './replay.ts';
import type { Store } from './store.ts';
import type { WireState } from './wire.ts';

/**
 * Leaves a connection that still works, because another one takes over (the handover). The old connection is needed until the
 * data of the new one is visible and every call sent on the old one is answered. Until then its data and answers count as before; its other messages are dropped.
 */
export function leaveConnection(
  wire: WireState,
  rooms: {
    readonly store: Pick<Store, 'collection'>;
    readonly quiescence: Pick<Quiescence, 'settled' | 'whenVisible'>;
    readonly methods: Pick<
      Methods,
      'onResult' | 'onUpdated' | 'whenAnswered' | 'failUnconfirmed' | 'settleAnswered'
    >;
    readonly replay: Pick<Replay, 'flush'>;
  },
): Leaving {
  const { store, quiescence, methods, replay } = rooms;
  const { epoch } = wire;
  // A connection whose session was never accepted answers nothing.
  const isNeeded = wire.isConnected;
  if (isNeeded) wire.leavingEpoch = epoch;
  let isVisible = false;
  quiescence.whenVisible(() => (isVisible = true));

  return {
    frame(data) {
      const message = parseMessage(data);
      // Subscriptions are the new connection's matter. Changes to data that was never visible are meaningless.
      if ('collection' in message) {
        if (isVisible) store.collection(message.collection).applyLate(message);
      } else if (message.msg === 'result') methods.onResult(message.id, message.error, message.result);
      else if (message.msg === 'updated') {
        const update = () => methods.onUpdated(message.ids);
        if (isVisible) update();
        else quiescence.whenVisible(update);
      }
    },
    // A turn later: `open` of the new connection follows at once, and begins the hold this waits for.
    done: Promise.resolve().then(async () => {
      if (!isNeeded) return;
      await quiescence.settled;
      await methods.whenAnswered(epoch);
    }),
    left() {
      if (wire.leavingEpoch === epoch) wire.leavingEpoch = 0;
      methods.failUnconfirmed(epoch);
      // For results whose `updated` never came: what these calls changed is among the new connection's data.
      if (wire.hasConnection) quiescence.whenVisible(() => methods.settleAnswered());
      replay.flush();
    },
  };
}
