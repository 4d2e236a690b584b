import type { FailoverError } from '../core/api/errors.ts';

/** What subscriptions and methods know of the connection. */
export interface Wire {
  /** Names the current connection, or the next one. Counts from 1. */
  readonly epoch: number;
  /** Names the connection before it, while that may still answer; else 0. */
  readonly leaving: number;
  /** Hooks of a new connection are being run: what they call goes first. */
  readonly greeting: boolean;
  /** Whether a frame sent now goes straight out on the current connection. */
  readonly usable: boolean;
  /** Set once the client is closed: what everything asked of it rejects with. */
  readonly closed: FailoverError | undefined;
  send(frame: string): void;
  /** Calls app code; what it throws is reported and goes no further. */
  guard(fn: () => void): void;
  /** A new id, unique among methods and subscriptions. */
  nextId(): string;
}
