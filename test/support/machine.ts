import { engineOf } from '../../src/core/env/engines.ts';
import { POLICIES } from '../../src/core/api/reconnect-policy.ts';
import type { TransitionContext } from '../../src/core/rules/machine.ts';

/** When a machine that stands still is looked at, ms. */
export const NOW = 10_000;

/** The circumstances of a transition: online, hedging, nothing learned, no engine of its own ways. */
export const contextOf = (own: Partial<TransitionContext> = {}): TransitionContext => ({
  now: NOW,
  random: 0.5,
  engine: engineOf(''),
  freshPath: false,
  leaks: [],
  rtt: undefined,
  policy: POLICIES.fast,
  online: true,
  hedge: true,
  standby: false,
  spreadMs: 0,
  ...own,
});
