import { between, isFunction, isString, rule, type Rules } from '../shared/validate.ts';
import type { FailoverOptions } from '../core/api/options.ts';

export interface DDPOptions extends Omit<FailoverOptions, 'events' | 'layer'> {
  /** Of no effect: a DDPClient has no `open` and `close`. `up` and `down` tell of its connections. */
  readonly events?: NonNullable<FailoverOptions['events']>;
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

/** Up to the longest delay of a timer; beyond it engines fire at once. */
const isTimeout = between(1, 2 ** 31 - 1);
export const isCallTimeout = rule(
  `${isTimeout.wants}, or Infinity`,
  (ms) => ms === Infinity || isTimeout(ms),
);

/** What DDP adds to the link's options, and what it allows of them. */
export const DDP_RULES: Rules = {
  quiescenceTimeoutMs: isTimeout,
  callTimeoutMs: isCallTimeout,
  tokenStorage: rule('a Storage with getItem, setItem and removeItem', (storage) =>
    ['getItem', 'setItem', 'removeItem'].every((name) =>
      isFunction((Object(storage) as Record<string, unknown>)[name]),
    ),
  ),
  tokenKey: isString,
};
