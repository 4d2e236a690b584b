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
   * Fulfilled when the server has sent everything there was, once and for good; it does not go back during a failover.
   * Rejects with a DDPError if the server refuses, with a FailoverError `aborted` or `closed` if it is stopped or the client
   * is closed before. Need not be handled.
   */
  readonly ready: Promise<void>;
  /** False after `stop()`, and after the server has ended it. */
  readonly active: boolean;
  stop(): void;
}

/** One of those who asked for the same. */
interface Holder {
  active: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

interface Entry {
  readonly id: string;
  /** Name and parameters as text: who asks for the same shares it. Undefined if parameters are functions. */
  readonly key: string | undefined;
  frame: string;
  /** Makes the frame anew, for the next connection. */
  readonly again: (() => string) | undefined;
  /** Connection it was sent on; 0: on none. */
  epoch: number;
  /** Was ready, on whichever connection. */
  ready: boolean;
  readonly holders: Set<Holder>;
}

export interface Subscriptions {
  add(name: string, params: readonly unknown[]): Subscription;
  /** Sends what the current connection has not seen, in order. */
  flush(): void;
  /** The server has refused to hear it yet. */
  unsent(id: unknown): void;
  /** The ids of those that have been ready before (or have not), for a new connection; what the old one was still to be told is void. */
  revive(): { awaited: string[]; pending: string[] };
  /** The server has sent all there was; the promises are kept as soon as that is visible. */
  ready(id: string, visible: (fn: () => void) => void): void;
  /** The server has ended it. Returns the error if nobody can learn of it from `ready` any more. */
  nosub(id: string, error: DDPError | undefined): DDPError | undefined;
  /** Ends all of them. */
  close(error: FailoverError): void;
}

/** @param settled is told the id of each subscription that needs no further waiting for */
export function createSubscriptions(wire: Wire, settled: (id: string) => void): Subscriptions {
  const entries = new Map<string, Entry>();
  const shared = new Map<string | undefined, Entry>();
  /** Stopped while the wire was not usable: still to be told, if the connection turns out to live. */
  let unsubs: string[] = [];

  const create = (name: string, params: readonly unknown[], key: string | undefined): Entry => {
    const id = wire.nextId();
    const make = () => {
      const values = params.map((one) => (isFunction(one) ? (one as () => unknown)() : one));
      return encode({ msg: 'sub', id, name, params: toWire(values, 'params') });
    };
    const again = key === undefined ? make : undefined;
    const entry = { id, key, frame: make(), again, epoch: 0, ready: false, holders: new Set<Holder>() };
    entries.set(id, entry);
    if (key !== undefined) shared.set(key, entry);
    return entry;
  };

  const send = (entry: Entry): void => {
    const { again } = entry;
    // Asked once for each connection, for the first one by `subscribe`. If it throws, the last one has to do.
    if (again && entry.epoch) wire.guard(() => (entry.frame = again()));
    // It may have stopped its own subscription.
    if (!entries.has(entry.id)) return;
    entry.epoch = wire.epoch;
    wire.send(entry.frame);
  };

  const end = (entry: Entry, error: FailoverError): void => {
    entries.delete(entry.id);
    shared.delete(entry.key);
    for (const holder of entry.holders) release(entry, holder, error);
    settled(entry.id);
  };

  return {
    add(name, params) {
      validate('name', name, isString);
      const key = params.some(isFunction) ? undefined : JSON.stringify([name, toWire(params, 'params')]);
      const entry = shared.get(key) ?? create(name, params, key);
      const holder: Holder = { active: true, resolve() {}, reject() {} };
      const ready = new Promise<void>((resolve, reject) => Object.assign(holder, { resolve, reject }));
      ready.catch(() => {});
      entry.holders.add(holder);
      if (entry.ready) holder.resolve();
      if (wire.closed) end(entry, wire.closed);
      else if (!entry.epoch && wire.usable) send(entry);
      return {
        name,
        ready,
        get active() {
          return holder.active;
        },
        stop() {
          if (!holder.active) return;
          const error = new FailoverError('aborted', `${name}: stopped`);
          // Others may still want it.
          if (entry.holders.size > 1) return release(entry, holder, error);
          end(entry, error);
          if (entry.epoch !== wire.epoch) return;
          const frame = encode({ msg: 'unsub', id: entry.id });
          if (wire.usable) wire.send(frame);
          else unsubs.push(frame);
        },
      };
    },
    flush() {
      if (!wire.usable) return;
      for (const frame of unsubs.splice(0)) wire.send(frame);
      for (const entry of entries.values()) if (entry.epoch !== wire.epoch) send(entry);
    },
    unsent(id) {
      const entry = entries.get(id as string);
      if (entry?.epoch === wire.epoch) entry.epoch = 0;
    },
    revive() {
      unsubs = [];
      const ids = (ready: boolean) =>
        [...entries].flatMap(([id, entry]) => (entry.ready === ready ? [id] : []));
      return { awaited: ids(true), pending: ids(false) };
    },
    ready(id, visible) {
      const entry = entries.get(id);
      if (!entry) return;
      visible(() => {
        entry.ready = true;
        for (const holder of entry.holders) holder.resolve();
      });
      settled(id);
    },
    nosub(id, error) {
      const entry = entries.get(id);
      if (!entry) return;
      end(entry, error ?? new FailoverError('server', 'ended by server'));
      return entry.ready ? error : undefined;
    },
    close(error) {
      for (const entry of entries.values()) end(entry, error);
    },
  };
}

function release(entry: Entry, holder: Holder, error: FailoverError): void {
  entry.holders.delete(holder);
  holder.active = false;
  holder.reject(error);
}
