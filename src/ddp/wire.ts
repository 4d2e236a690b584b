import { isolate, type Env } from '../core/env/env.ts';
import type { FailoverError } from '../core/api/errors.ts';
import type { FailoverEvents, Stats, Status } from '../core/api/events.ts';

type Listen = <E extends keyof FailoverEvents>(event: E, fn: (...args: FailoverEvents[E]) => void) => unknown;

/** The part of FailoverWebSocket that DDP needs. Tests and own transports may pass another implementation to DDPClient. */
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

/** What subscriptions and methods know of the connection. */
export interface Wire {
  /** Number of the current connection; during an outage, of the next one. Counts from 1. */
  readonly epoch: number;
  /** Number of the connection being left, while it may still answer; else 0. */
  readonly leavingEpoch: number;
  /** The preamble of a new connection is being sent: logins, and what `onReconnect` hooks call. */
  readonly isPreamble: boolean;
  /** A frame sent now leaves at once on the current connection. */
  readonly canSend: boolean;
  /** Set once the client is closed; later calls and subscriptions reject with it. */
  readonly closeError: FailoverError | undefined;
  send(frame: string): void;
  /** Calls app code. What it throws is reported and goes no further. */
  isolate(fn: () => void): void;
  /** Returns a new id, unique among methods and subscriptions. */
  nextId(): string;
}

/** The wire with what only the session's own rooms may read and set. */
export interface WireState extends Wire {
  epoch: number;
  leavingEpoch: number;
  isPreamble: boolean;
  closeError: FailoverError | undefined;
  /** There is a current connection. */
  hasConnection: boolean;
  /** The server has answered `connected` on the current connection. */
  isConnected: boolean;
  /** This server rejects whatever reaches it before its `connected`, so everything waits for that. */
  waitsForConnected: boolean;
  /** The connection may be about to be replaced. What is sent now could be sent again by the replay. */
  isSuspect: boolean;
}

/** @param link returns the link, which is dialled after the wire is made */
export function createWire(env: Pick<Env, 'reportError'>, link: () => Pick<DdpLink, 'send'>): WireState {
  let lastId = 0;
  const wire = {
    epoch: 1,
    leavingEpoch: 0,
    isPreamble: false,
    closeError: undefined as FailoverError | undefined,
    hasConnection: false,
    isConnected: false,
    waitsForConnected: false,
    isSuspect: false,
    get canSend() {
      return wire.hasConnection && !wire.isSuspect && (wire.isConnected || !wire.waitsForConnected);
    },
    send: (frame: string) => link().send(frame),
    isolate: (fn: () => void) => isolate(env, fn),
    nextId: () => String(++lastId),
  };
  return wire;
}
