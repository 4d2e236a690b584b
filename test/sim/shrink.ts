import type { Plan, Step } from './plan.ts';
import type { Simulation } from './seed.ts';

/** Simplifications of everything but the schedule, each tried for itself. */
const SIMPLER: readonly ((plan: Plan) => Plan)[] = [
  (plan) => ({
    ...plan,
    browser: { ...plan.browser, tabs: 1 },
    steps: plan.steps.filter((step) => !('tab' in step) || step.tab === 0),
  }),
  (plan) => ({ ...plan, net: { ...plan.net, loss: 0 } }),
  (plan) => ({ ...plan, net: { ...plan.net, jitter: 0.1 } }),
  (plan) => ({ ...plan, net: { ...plan.net, rttMs: 40 } }),
  (plan) => ({ ...plan, net: { ...plan.net, addressing: 'balancer' } }),
  (plan) => ({ ...plan, link: { ...plan.link, standby: false } }),
  (plan) => ({ ...plan, link: { ...plan.link, login: false } }),
  (plan) => ({ ...plan, link: { ...plan.link, probe: false } }),
  (plan) => ({ ...plan, link: { ...plan.link, provider: 'none' } }),
  (plan) => ({ ...plan, link: { ...plan.link, maxAttempts: undefined } }),
  (plan) => ({ ...plan, link: { ...plan.link, fastAttempts: undefined } }),
  (plan) => ({ ...plan, browser: { ...plan.browser, engine: 'webkit' } }),
  (plan) => ({ ...plan, server: { ...plan.server, patientMs: 0, spreadMs: 0, busy: false } }),
];

/**
 * Cuts a failing plan down: the same rule is broken by what is left, and by nothing less. Delta debugging (Zeller and Hildebrandt,
 * 2002) on the schedule, then the world is made simpler, then the schedule again.
 */
export async function shrink(sim: Simulation, plan: Plan, rule: string): Promise<Plan> {
  const fails = (candidate: Plan) =>
    sim.outsideMicrotasks(() => sim.play(candidate).violation?.rule === rule);
  let best = await fewerSteps(plan, fails);
  for (const simpler of SIMPLER) {
    const candidate = simpler(best);
    if (await fails(candidate)) best = candidate;
  }
  best = await fewerSteps(best, fails);
  // Nothing need wait for what was cut out.
  const last = Math.max(0, ...best.steps.map(({ at }) => at));
  const short = { ...best, healAt: last + 500 };
  return (await fails(short)) ? short : best;
}

async function fewerSteps(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let { steps } = plan;
  for (let parts = 2; steps.length > 0;) {
    const size = Math.ceil(steps.length / parts);
    let found: readonly Step[] | undefined;
    for (let at = 0; at < steps.length && !found; at += size) {
      const rest = [...steps.slice(0, at), ...steps.slice(at + size)];
      if (await fails({ ...plan, steps: rest })) found = rest;
    }
    if (found) {
      steps = found;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(steps.length, parts * 2);
  }
  return { ...plan, steps };
}
