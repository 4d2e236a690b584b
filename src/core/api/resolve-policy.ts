import {
  badOption,
  between,
  isObject,
  oneOf,
  rule,
  validate,
  validateFields,
  type Rules,
} from '../../shared/validate.ts';
import { POLICIES, policyLimits, type PolicyName, type ReconnectPolicy } from './reconnect-policy.ts';

const isPreset = oneOf(...Object.keys(POLICIES));
const isPolicy = rule(
  `${isPreset.wants}, or an object`,
  (value) => isPreset(value) || isObject(value),
  isPreset.advice,
);
const POLICY_RULES: Rules = {
  preset: isPreset,
  ...Object.fromEntries(Object.keys(POLICIES.balanced).map((name) => [name, between(...policyLimits(name))])),
};

/**
 * Lays the app's values over their preset.
 * @throws RangeError naming the field, what was expected and what came
 */
export function resolvePolicy(
  policy: PolicyName | (Partial<ReconnectPolicy> & { readonly preset?: PolicyName }) = 'balanced',
): Readonly<ReconnectPolicy> {
  validate('policy', policy, isPolicy);
  // A copy: what is checked here is what is used. The preset may be inherited, as from a class.
  const given = typeof policy === 'string' ? { preset: policy } : { ...policy, preset: policy.preset };
  const { preset = 'balanced', ...own } = validateFields(given, POLICY_RULES, 'policy');
  const result: ReconnectPolicy = { ...POLICIES[preset] };
  for (const [name, value] of Object.entries(own) as [keyof ReconnectPolicy, number | undefined][])
    result[name] = value ?? result[name];
  for (const of of ['deadline', 'reply'] as const) {
    const floorMs = result[`${of}FloorMs`];
    const capMs = result[`${of}CapMs`];
    if (floorMs > capMs)
      throw badOption(
        `policy.${of}FloorMs`,
        floorMs,
        `at most ${of}CapMs, which is ${capMs}`,
        'Lower the floor or raise the cap; a field that is left out comes from the preset.',
      );
  }
  return Object.freeze(result);
}
