import { FailoverError } from '../core/errors.ts';
import type { DDPError } from './errors.ts';
import { toJson } from './ejson.ts';
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

interface Entry {
  readonly frame: string;
  /** Connection it was sent on; 0: on none. */
  epoch: number;
  /** Was ready, on whichever connection. */
  ready: boolean;
  active: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

export class Subscriptions {
  readonly #wire: Wire;
  readonly #settled: (id: string) => void;
  readonly #entries = new Map<string, Entry>();
  /** Stopped while the wire was not usable: still to be told, if the connection turns out to live. */
  #unsubs: string[] = [];

  /** @param settled is told the id of each subscription that needs no further waiting for */
  constructor(wire: Wire, settled: (id: string) => void) {
    this.#wire = wire;
    this.#settled = settled;
  }

  add(name: string, params: readonly unknown[]): Subscription {
    const id = this.#wire.nextId();
    const entry: Entry = {
      frame: encode({ msg: 'sub', id, name, params: toJson(params) }),
      epoch: 0,
      ready: false,
      active: true,
      resolve() {},
      reject() {},
    };
    const ready = new Promise<void>((resolve, reject) => Object.assign(entry, { resolve, reject }));
    ready.catch(() => {});
    this.#entries.set(id, entry);
    if (this.#wire.closed) this.#end(id, this.#wire.closed);
    else if (this.#wire.usable) this.#send(entry);
    return {
      name,
      ready,
      get active() {
        return entry.active;
      },
      stop: () => {
        if (!entry.active) return;
        const sent = entry.epoch === this.#wire.epoch;
        this.#end(id, new FailoverError('aborted', `${name}: stopped`));
        if (!sent) return;
        const frame = encode({ msg: 'unsub', id });
        if (this.#wire.usable) this.#wire.send(frame);
        else this.#unsubs.push(frame);
      },
    };
  }

  /** Sends what the current connection has not seen, in order. */
  flush(): void {
    if (!this.#wire.usable) return;
    for (const frame of this.#unsubs.splice(0)) this.#wire.send(frame);
    for (const entry of this.#entries.values()) if (entry.epoch !== this.#wire.epoch) this.#send(entry);
  }

  #send(entry: Entry): void {
    entry.epoch = this.#wire.epoch;
    this.#wire.send(entry.frame);
  }

  /** The ids of those that have been ready before (or have not), for a new connection; what the old one was still to be told is void. */
  revive(): { awaited: string[]; pending: string[] } {
    this.#unsubs = [];
    const ids = (ready: boolean) =>
      [...this.#entries].flatMap(([id, entry]) => (entry.ready === ready ? [id] : []));
    return { awaited: ids(true), pending: ids(false) };
  }

  /** The server has sent all there was; the promise is kept as soon as that is visible. */
  ready(id: string, visible: (fn: () => void) => void): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    visible(() => {
      entry.ready = true;
      entry.resolve();
    });
    this.#settled(id);
  }

  /** The server has ended it. Returns the error if nobody can learn of it from `ready` any more. */
  nosub(id: string, error: DDPError | undefined): DDPError | undefined {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#end(id, error ?? new FailoverError('server', 'ended by the server'));
    return entry.ready ? error : undefined;
  }

  /** Ends all of them. */
  close(error: FailoverError): void {
    for (const id of this.#entries.keys()) this.#end(id, error);
  }

  #end(id: string, error: FailoverError): void {
    const entry = this.#entries.get(id)!;
    this.#entries.delete(id);
    entry.active = false;
    entry.reject(error);
    this.#settled(id);
  }
}
