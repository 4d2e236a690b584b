/**
 * Plays seeds of the simulation on two threads: `npm run sim -- --seeds 100000 [--from 1]`, or one: `--seed 7 [--trace]`. A seed
 * that breaks a rule is cut down to a short schedule and told as a timeline. Exits 1 if one does, or if a run of 10 000 or more has
 * not come through every transition and every kind of failure.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from './bundle.ts';
import { missing } from './coverage.ts';
import type { Plan } from './plan.ts';
import { playAll } from './pool.ts';
import type { Simulation } from './seed.ts';
import { shrink } from './shrink.ts';

/** So many seeds come through everything there is. */
const COVERS = 10_000;
/** So many failing seeds are told at most. */
const TOLD = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'sim-'));
try {
  const file = join(folder, 'simulation.mjs');
  await bundle(file);
  const sim = (await import(file)) as Simulation;
  const failed = values.seed === undefined ? await many(file, sim) : await one(sim, Number(values.seed));
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}

async function one(sim: Simulation, seed: number): Promise<boolean> {
  const plan = sim.generate(seed);
  const { violation, lines } = await sim.outsideMicrotasks(() => sim.play(plan, values.trace));
  if (values.trace) console.log(`${about(plan)}\n${lines.join('\n')}`);
  if (!violation) console.log(`seed ${seed}: no rule is broken`);
  else await tell(sim, plan);
  return violation !== undefined;
}

async function many(file: string, sim: Simulation): Promise<boolean> {
  const from = Number(values.from);
  const seeds = Number(values.seeds);
  const start = performance.now();
  let toldAt = start;
  const total = await playAll(
    file,
    { from, to: from + seeds },
    {
      stopAfter: TOLD,
      progress(so) {
        if (performance.now() - toldAt < 10_000) return;
        toldAt = performance.now();
        const rate = Math.round(so.seeds / ((toldAt - start) / 1_000));
        console.log(`${so.seeds} of ${seeds} seeds, ${rate} a second, ${so.violations.length} violations`);
      },
    },
  );
  const seconds = (performance.now() - start) / 1_000;
  const hours = (total.virtualMs / 3_600_000).toFixed(1);
  console.log(
    `${total.seeds} seeds, ${hours} virtual hours in ${seconds.toFixed(1)} s: ${total.violations.length} violations`,
  );
  for (const { seed } of total.violations.slice(0, TOLD)) await tell(sim, sim.generate(seed));
  const gaps = missing(total.seen);
  if (gaps.length === 0) console.log('every transition and every kind of failure was seen');
  else console.log(`not seen${seeds < COVERS ? ', in so few seeds' : ''}:\n  ${gaps.join('\n  ')}`);
  return total.violations.length > 0 || (seeds >= COVERS && total.complete && gaps.length > 0);
}

/** The shortest schedule that breaks the same rule, as a timeline. */
async function tell(sim: Simulation, plan: Plan): Promise<void> {
  const play = (of: Plan) => sim.outsideMicrotasks(() => sim.play(of, true));
  const { violation } = await play(plan);
  // One that is no violation here was an unhandled rejection: to be seen with --trace.
  if (!violation) return console.log(`\nseed ${plan.seed}: a promise was rejected and nobody looked`);
  const small = await shrink(sim, plan, violation.rule);
  const { lines } = await play(small);
  console.log(
    `\nseed ${plan.seed}, ${violation.rule}: ${plan.steps.length} steps cut down to ${small.steps.length}`,
  );
  console.log(`${about(small)}\n${lines.join('\n')}`);
}

function about({ steps: _, healAt, ...world }: Plan): string {
  return `${JSON.stringify(world)}, all well from ${healAt} ms on`;
}
