/**
 * `npm run sim`: plays seeds of the simulation on two threads. A seed that breaks a rule is cut down to a short schedule and
 * printed as a timeline. Exits with 1 if one does, or if a run of 10 000 or more has not come through every transition and every
 * kind of failure.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCommandLine, flag, optional, UsageError, whole } from '../../tools/args.ts';
import { bundle } from './bundle.ts';
import { missing } from './coverage.ts';
import type { Plan } from './plan.ts';
import { playAll } from './pool.ts';
import type { Simulation } from './seed.ts';
import { shrink } from './shrink.ts';

/** This many seeds come through everything there is. */
const COVERS = 10_000;
/** What a heartbeat's beats are folded into. */
const FOLD = '        …';
/** At most this many failing seeds are printed. */
const TOLD = 5;

const asking = parseCommandLine(
  `npm run sim -- [--seeds N] [--from S]
npm run sim -- --seed S [--trace]

Plays seeded schedules of faults around the real code. A seed that breaks a rule is cut down to a short schedule and printed as a
timeline.
  --seeds  How many seeds are played. Default: 2000.
  --from   The first seed. Default: 1.
  --seed   Plays this seed only.
  --trace  Prints everything that happens in it.
  --help   Prints this text.`,
  { seeds: optional, from: optional, seed: optional, trace: flag },
  ({ seed, trace, seeds, from }) => {
    if (seed !== undefined ? (seeds ?? from) !== undefined : trace)
      throw new UsageError('The options --seed and --trace go together, and so do --seeds and --from.');
    return {
      seed: seed === undefined ? undefined : whole('seed', seed, 0),
      trace,
      seeds: whole('seeds', seeds ?? '2000', 1),
      from: whole('from', from ?? '1', 0),
    };
  },
);

const folder = mkdtempSync(join(tmpdir(), 'sim-'));
try {
  const file = join(folder, 'simulation.mjs');
  await bundle(file);
  const sim = (await import(file)) as Simulation;
  const failed = asking.seed === undefined ? await many(file, sim) : await one(sim, asking.seed);
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}

async function one(sim: Simulation, seed: number): Promise<boolean> {
  const plan = sim.generate(seed);
  const { violation, lines } = await sim.outsideMicrotasks(() => sim.play(plan, asking.trace));
  if (asking.trace) console.log(`${about(plan)}\n${lines.join('\n')}`);
  if (!violation) console.log(`Seed ${seed} breaks no rule.`);
  else await tell(sim, plan);
  return violation !== undefined;
}

async function many(file: string, sim: Simulation): Promise<boolean> {
  const { from, seeds } = asking;
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
        console.log(
          `Played ${so.seeds} of ${seeds} seeds, ${rate} a second, with ${so.violations.length} violations.`,
        );
      },
    },
  );
  const seconds = (performance.now() - start) / 1_000;
  const hours = (total.virtualMs / 3_600_000).toFixed(1);
  console.log(
    `Played ${total.seeds} seeds, ${hours} virtual hours, in ${seconds.toFixed(1)} s. Violations: ${total.violations.length}.`,
  );
  for (const { seed } of total.violations.slice(0, TOLD)) await tell(sim, sim.generate(seed));
  const gaps = missing(total.seen);
  if (gaps.length === 0) console.log('Every transition and every kind of failure was seen.');
  else
    console.log(
      `Not seen${seeds < COVERS ? `, which is normal with fewer than ${COVERS} seeds` : ''}:\n  ${gaps.join('\n  ')}`,
    );
  return total.violations.length > 0 || (seeds >= COVERS && total.complete && gaps.length > 0);
}

/** The shortest schedule that breaks the same rule, as a timeline. */
async function tell(sim: Simulation, plan: Plan): Promise<void> {
  const play = (of: Plan) => sim.outsideMicrotasks(() => sim.play(of, true));
  const { violation } = await play(plan);
  // One that is no violation here was an unhandled rejection: to be seen with --trace.
  if (!violation)
    return console.log(
      `\nSeed ${plan.seed}: a promise was rejected and nobody handled it. See it with --trace.`,
    );
  const small = await shrink(sim, plan, violation.rule);
  const { lines } = await play(small);
  console.log(
    `\nSeed ${plan.seed} breaks the rule "${violation.rule}". Its ${plan.steps.length} steps are cut down to ${small.steps.length}.`,
  );
  console.log(`${about(small)}\n${folded(lines).join('\n')}`);
}

/** Of a heartbeat that beats the first and the last beat say it all; `--trace` has every line. */
function folded(lines: readonly string[]): string[] {
  const beats = (line: string | undefined) => /(→|←) \d+ (ping|pong|\{"msg":"p[io]ng"\})$/.test(line ?? '');
  const told: string[] = [];
  for (let i = 0, run = 0; i < lines.length; i++) {
    run = beats(lines[i]) ? run + 1 : 0;
    const inside = run > 2 && beats(lines[i + 1]) && beats(lines[i + 2]);
    if (!inside) told.push(lines[i]!);
    else if (told.at(-1) !== FOLD) told.push(FOLD);
  }
  return told;
}

function about({ steps: _, healAt, ...world }: Plan): string {
  return `${JSON.stringify(world)}, all well from ${healAt} ms on`;
}
