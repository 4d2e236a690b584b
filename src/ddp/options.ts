import { between, isFunction, isString, rule, type Rules } from '../shared/validate.ts';
import type { FailoverOptions } from '../core/api/options.ts';

/**
 * Options of a DDPClient: those of the link, and DDP's own. For the link two defaults differ: `heartbeat` is DDP's own ping,
 * `serverNotices` is true. `queue` also limits the calls that wait for a connection.
 */
export interface DDPOptions extends Omit<FailoverOptions, 'events' | 'layer'> {
  /** Has no effect: a DDPClient has no `open` and `close` events. `up` and `down` report its connections. */
  readonly events?: NonNullable<FailoverOptions['events']>;
  /**
   * How long the documents of a new connection may be withheld, in milliseconds: 1 to 2 147 483 647. After a failover they become
   * visible when every subscription that was ready is ready again, at the latest after this time. Then a `warning` of kind
   * `quiescence` follows, and no document is removed before the last of these subscriptions is ready. @default 10_000
   */
  readonly quiescenceTimeoutMs?: number;
  /**
   * Milliseconds until a call rejects with `timeout`, outages included: 1 to 2 147 483 647, or Infinity for never.
   * `ApplyOptions.timeoutMs` overrides it for one call. @default 60_000
   */
  readonly callTimeoutMs?: number;
  /**
   * Where the login token outlives the page, for example `localStorage`. It is read once, when the client is made, and used to
   * log in. A script that can read the storage can steal the login. If the storage throws, that is reported and the token is kept
   * in memory. @default in memory only
   */
  readonly tokenStorage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  /** Name of the token in that storage. Two clients on one page need two names. @default 'ddp.loginToken' */
  readonly tokenKey?: string;
}

/** The longest delay of a timer is 2³¹ − 1 ms (HTML: a signed long). Engines fire a longer one at once. */
const isTimeout = between(1, 2 ** 31 - 1);
export const isCallTimeout = rule(
  `${isTimeout.wants}, or Infinity`,
  (ms) => ms === Infinity || isTimeout(ms),
);

/** Rules for the options that DDP adds to the link's. */
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
