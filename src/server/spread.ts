import { between } from '../shared/validate.ts';

/**
 * The default of `acceptPerSecond`: one core that needs 5 ms for each client, from upgrade and login to its first
 * subscriptions. This is an estimate; set `acceptPerSecond` when you have measured yours.
 */
export const ACCEPT_PER_SECOND = 200;

/** Holds for `acceptPerSecond`. */
export const isAcceptRate = between(1, 1_000_000);

/** A wait this short spreads nothing: a lone client dials at once. */
const NEGLIGIBLE_MS = 20;

/** The client's own limit: it never waits longer than this for a node that is up. */
const MAX_MS = 60_000;

/** Over how many ms the clients must spread their dials so that the other nodes can accept them as they arrive. */
export function spreadFor(clients: number, acceptPerSecond: number): number {
  const ms = Math.round((clients * 1000) / acceptPerSecond);
  return ms < NEGLIGIBLE_MS ? 0 : Math.min(ms, MAX_MS);
}
