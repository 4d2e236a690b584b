import { checkNumber } from './check.ts';

/**
 * What the other nodes take in per second while nothing is known of them: one core that needs 5 ms for a client, from upgrade
 * and login to its first subscriptions. An estimate: whoever knows better sets `acceptPerSecond`.
 */
const ACCEPT_PER_SECOND = 200;

/** A wait that nobody notices is no help to anybody either: a lone client dials at once. */
const FREE_MS = 20;

/** The client's own limit: nobody waits longer than this for a node that is up. */
const MAX_MS = 60_000;

/** The option shared by all who announce a spread, checked. */
export const acceptRate = (perSecond = ACCEPT_PER_SECOND): number =>
  checkNumber('acceptPerSecond', perSecond, 1, 1_000_000);

/** Over how many ms so many clients must spread their dials for the other nodes to take them in as they come. */
export function spreadFor(clients: number, acceptPerSecond: number): number {
  const ms = Math.round((clients * 1000) / acceptPerSecond);
  return ms < FREE_MS ? 0 : Math.min(ms, MAX_MS);
}
