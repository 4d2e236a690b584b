import { badOption } from '../core/errors.ts';
import type { FailoverOptions } from '../core/options.ts';

export interface DDPOptions extends FailoverOptions {
  /**
   * After a failover the documents of the new connection are held back until every subscription that was ready is ready again,
   * but at most so many ms. Then they are shown as far as they are known, with a `warning`; nothing is removed before the
   * last of those subscriptions is ready. @default 10_000
   */
  readonly quiescenceTimeoutMs?: number;
  /** A call rejects with `timeout` after so many ms, outages included; Infinity: never. @default 60_000 */
  readonly callTimeoutMs?: number;
  /**
   * Where the login token outlives the page, `localStorage` for one; it is read once, at the start, and used to log in. What can
   * be read there by script can be stolen by script. @default in memory only
   */
  readonly tokenStorage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  /** The name of the token in that storage. @default 'ddp.loginToken' */
  readonly tokenKey?: string;
}

/** Longest delay of a timer; beyond it engines fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** @throws RangeError unless it is a timer's delay, or `unlimited` */
export function checkTimeout(option: string, ms: unknown, unlimited?: number): void {
  if (!((ms as number) > 0 && (ms as number) <= MAX_TIMER_MS && typeof ms === 'number') && ms !== unlimited)
    throw badOption(option, ms, `more than 0, at most ${unlimited ?? MAX_TIMER_MS}`);
}
