import { validate, isFunction, isString } from '../shared/validate.ts';
import { FailoverError } from '../core/api/errors.ts';
import type { DDPError } from './errors.ts';
import { toWire } from './ejson.ts';
import { encode } from './messages.ts';
import type { Wire } from './wire.ts';

/** What the app holds of a subscription. It outlives connections. */
export interface Subscription {
  readonly name: string;
  /**
   * Resolves once the server has sent all documents there were. It stays resolved during a failover.
   * Rejects with a DDPError if the server refuses the subscription, and with a FailoverError of kind `aborted` after `stop()`, of
   * kind `closed` if the client is closed, of kind `server` if the server ends it without an error. No handler is needed: an
   * unhandled rejection is not reported.
   */
  readonly ready: Promise<void>;
  /** False after `stop()`, after the server has ended the subscription, and after the client is closed. */
  readonly active: boolean;
  /** Ends this subscription. The server learns of it when no other one with the same name and parameters is active. */
  stop(): void;
}

/** One `subscribe` call: several with the same name and parameters share an entry. */
interface Handle {
  active: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/** One subscription as the server knows it. */
interface Entry {
  readonly id: string;
  readonly name: string;
  /** Name and parameters as text, by which entries are shared. Undefined if a parameter is a function. */
  readonly key: string | undefined;
  frame: string;
  /** Makes the frame for the next connection, if a parameter is a function. */
  readonly rebuildFrame: (() => string) | undefined;
  /** Number of the connection it was sent on; 0: on none. */
  epoch: number;
  /** It was ready, on whichever connection. */
  isReady: boolean;
  readonly handles: Set<Handle>;
}

export interface Subscriptions {
  subscribe(name: string, params: readonly unknown[]): Subscription;
  /** Sends what the current connection has not seen, in order. */
  flush(): void;
  /** The server has rejected the frame because it came too early. */
  markUnsent(id: unknown): void;
  /**
   * Prepares for a new connection: `unsub` messages for the old one are dropped.
   * @returns the ids of the subscriptions that have been ready before, and of those that have not
   */
  startReplay(): { ready: string[]; pending: string[] };
  /** The server has sent all documents there were. `ready` resolves when they are visible. */
  onReady(id: string, whenVisible: (fn: () => void) => void): void;
  /** The server has ended the subscription. Returns the error if no promise is left to carry it. */
  onNosub(id: string, error: DDPError | undefined): DDPError | undefined;
  /** Ends all of them. */
  close(error: FailoverError): void;
}

/** @param onAnswered called with the id of each subscription that the server has answered, or that has ended */
export function createSubscriptions(wire: Wire, onAnswered: (id: string) => void): Subscriptions {
  const entries = new Map<string, Entry>();
  const entryByKey = new Map<string | undefined, Entry>();
  /** Stopped while nothing could be sent. They are sent if the connection turns out to live. */
  let pendingUnsubs: string[] = [];

  const createEntry = (name: string, params: readonly unknown[], key: string | undefined): Entry => {
    const id = wire.nextId();
    const buildFrame = () => {
      const values = params.map((param) => (isFunction(param) ? (param as () => unknown)() : param));
      return encode({ msg: 'sub', id, name, params: toWire(values, 'params') });
    };
    const entry: Entry = {
      id,
      name,
      key,
      frame: buildFrame(),
      rebuildFrame: key === undefined ? buildFrame : undefined,
      epoch: 0,
      isReady: false,
      handles: new Set(),
    };
    entries.set(id, entry);
    if (key !== undefined) entryByKey.set(key, entry);
    return entry;
  };

  const send = (entry: Entry): void => {
    const { rebuildFrame } = entry;
    // Once per connection; `subscribe` has built the first frame. If it throws, the last frame is sent again.
    if (rebuildFrame && entry.epoch) wire.isolate(() => (entry.frame = rebuildFrame()));
    // A parameter's function may have stopped its own subscription.
    if (!entries.has(entry.id)) return;
    entry.epoch = wire.epoch;
    wire.send(entry.frame);
  };

  const endEntry = (entry: Entry, error: FailoverError): void => {
    entries.delete(entry.id);
    entryByKey.delete(entry.key);
    for (const handle of entry.handles) releaseHandle(entry, handle, error);
    onAnswered(entry.id);
  };

  const stop = (entry: Entry, handle: Handle): void => {
    if (!handle.active) return;
    const error = new FailoverError(
      'aborted',
      `${entry.name}: the subscription was stopped before it was ready.`,
    );
    // Other handles keep the subscription.
    if (entry.handles.size > 1) return releaseHandle(entry, handle, error);
    endEntry(entry, error);
    if (entry.epoch !== wire.epoch) return;
    const frame = encode({ msg: 'unsub', id: entry.id });
    if (wire.canSend) wire.send(frame);
    else pendingUnsubs.push(frame);
  };

  return {
    subscribe(name, params) {
      validate('name', name, isString);
      const key = params.some(isFunction) ? undefined : JSON.stringify([name, toWire(params, 'params')]);
      const entry = entryByKey.get(key) ?? createEntry(name, params, key);
      const { handle, ready } = addHandle(entry);
      if (wire.closeError) endEntry(entry, wire.closeError);
      else if (!entry.epoch && wire.canSend) send(entry);
      return {
        name,
        ready,
        get active() {
          return handle.active;
        },
        stop: () => stop(entry, handle),
      };
    },
    flush() {
      if (!wire.canSend) return;
      for (const frame of pendingUnsubs.splice(0)) wire.send(frame);
      for (const entry of entries.values()) if (entry.epoch !== wire.epoch) send(entry);
    },
    markUnsent(id) {
      const entry = entries.get(id as string);
      if (entry?.epoch === wire.epoch) entry.epoch = 0;
    },
    startReplay() {
      pendingUnsubs = [];
      const ids = (isReady: boolean) =>
        [...entries.values()].filter((entry) => entry.isReady === isReady).map(({ id }) => id);
      return { ready: ids(true), pending: ids(false) };
    },
    onReady(id, whenVisible) {
      const entry = entries.get(id);
      if (!entry) return;
      whenVisible(() => {
        entry.isReady = true;
        for (const handle of entry.handles) handle.resolve();
      });
      onAnswered(id);
    },
    onNosub(id, error) {
      const entry = entries.get(id);
      if (!entry) return;
      endEntry(
        entry,
        error ??
          new FailoverError('server', `${entry.name}: the server ended the subscription without an error.`),
      );
      return entry.isReady ? error : undefined;
    },
    close(error) {
      for (const entry of entries.values()) endEntry(entry, error);
    },
  };
}

function addHandle(entry: Entry): { handle: Handle; ready: Promise<void> } {
  const handle: Handle = { active: true, resolve() {}, reject() {} };
  const ready = new Promise<void>((resolve, reject) => Object.assign(handle, { resolve, reject }));
  // The app need not handle a rejection.
  ready.catch(() => {});
  entry.handles.add(handle);
  if (entry.isReady) handle.resolve();
  return { handle, ready };
}

function releaseHandle(entry: Entry, handle: Handle, error: FailoverError): void {
  entry.handles.delete(handle);
  handle.active = false;
  handle.reject(error);
}
