import type { QueueOptions } from '../core/api/options.ts';
import type { Call } from './call.ts';
import type { Wire } from './wire.ts';

/** Calls that have not settled, in the order they were made, and which of them may be sent. */
export interface CallQueue {
  readonly size: number;
  get(id: unknown): Call | undefined;
  /** A copy: settling a call removes it. */
  all(): Call[];
  add(call: Call): void;
  remove(call: Call): void;
  /** Whether a call with `wait: true` is among them: calls behind it wait. */
  hasBarrier(): boolean;
  /** Whether a call made now may be sent at once. */
  canSendNow(wait: boolean): boolean;
  /** Whether a call of this size finds room. Calls that wait for a connection are limited like the link's own queue. */
  hasRoom(bytes: number): boolean;
  send(call: Call): void;
  /** Sends what the current connection has not seen, in order. During the preamble only that itself is sent. */
  flush(): void;
  /** Sends what goes before subscriptions: logins, and what hooks have called. */
  sendLogins(): void;
  /** The server has rejected the frame because it came too early. */
  markUnsent(id: unknown): void;
}

export function createCallQueue(
  wire: Wire,
  { maxMessages, maxBytes }: Pick<QueueOptions, 'maxMessages' | 'maxBytes'>,
): CallQueue {
  const calls = new Map<string, Call>();
  let barriers = 0;

  /** The call waits for an answer on the connection that is being left. */
  const isPendingOnLeaving = ({ epoch, result, login, retry }: Call): boolean => {
    // A login serves only the connection it is sent on: the new one gets its own.
    const isSentAgain = login && retry;
    return !result && !isSentAgain && epoch > 0 && epoch === wire.leavingEpoch;
  };

  /** The current connection need not see the call. */
  const isSent = (call: Call): boolean =>
    !!call.result ||
    call.epoch === wire.epoch ||
    // Without a retry the call fails with its connection.
    (!call.retry && call.epoch > 0) ||
    isPendingOnLeaving(call);

  /** A new call must not overtake those that are still under way on the connection being left. */
  const isReady = (): boolean => {
    if (!wire.canSend) return false;
    return wire.isPreamble || !wire.leavingEpoch || ![...calls.values()].some(isPendingOnLeaving);
  };

  const send = (call: Call): void => {
    call.epoch = wire.epoch;
    call.isUpdated = false;
    wire.send(call.frame);
  };

  return {
    get size() {
      return calls.size;
    },
    get: (id) => calls.get(id as string),
    all: () => [...calls.values()],
    add(call) {
      calls.set(call.id, call);
      if (call.wait) barriers += 1;
    },
    remove(call) {
      if (calls.delete(call.id) && call.wait) barriers -= 1;
    },
    hasBarrier: () => barriers > 0,
    canSendNow(wait) {
      // What a hook calls goes before what has waited.
      return isReady() && (wire.isPreamble || (wait ? calls.size === 0 : barriers === 0));
    },
    hasRoom(bytes) {
      let messages = 1;
      for (const call of calls.values()) {
        if (isSent(call)) continue;
        messages += 1;
        bytes += call.bytes;
      }
      return messages <= maxMessages && bytes <= maxBytes;
    },
    send,
    flush() {
      if (!isReady() || wire.isPreamble) return;
      let isFirst = true;
      for (const call of [...calls.values()]) {
        const sent = isSent(call);
        if (call.wait && !isFirst && !sent) return;
        if (!sent) send(call);
        if (call.wait) return;
        isFirst = false;
      }
    },
    sendLogins() {
      for (const call of calls.values()) if ((call.login || call.isPreamble) && !isSent(call)) send(call);
    },
    markUnsent(id) {
      const call = calls.get(id as string);
      if (call?.epoch === wire.epoch) call.epoch = 0;
    },
  };
}
