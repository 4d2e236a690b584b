import { POLICIES, policyLimits, type ReconnectPolicy } from '../../../src/core/api/reconnect-policy.ts';
import type { Random } from '../../support/random.ts';

/** No sample would see the ends of a range by chance: each is taken so often. */
const END = 0.15;

/** Any policy that the options allow, over the whole range of every field: its ends, and between them evenly by magnitude. */
export function anyPolicy(random: Random): ReconnectPolicy {
  const policy = { ...POLICIES.balanced };
  for (const field of Object.keys(policy) as (keyof ReconnectPolicy)[]) {
    // A link that gives up makes no storm.
    if (field === 'maxAttempts') continue;
    const [min, max] = policyLimits(field);
    const luck = random();
    if (luck < END) policy[field] = min;
    else if (luck < 2 * END) policy[field] = max;
    else policy[field] = min === 0 ? random() * max : min * (max / min) ** random();
  }
  // As the options do: no floor above its cap.
  policy.deadlineFloorMs = Math.min(policy.deadlineFloorMs, policy.deadlineCapMs);
  policy.replyFloorMs = Math.min(policy.replyFloorMs, policy.replyCapMs);
  return policy;
}
