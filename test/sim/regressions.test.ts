import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle } from './bundle.ts';
import type { Plan } from './plan.ts';
import { REGRESSIONS } from './regressions.ts';
import type { Simulation } from './seed.ts';

// Faults of the library that the simulation has found, each with the shortest schedule that showed it.

const folder = mkdtempSync(join(tmpdir(), 'regressions-'));
let sim: Simulation;
beforeAll(async () => {
  const file = join(folder, 'simulation.mjs');
  await bundle(file);
  sim = (await import(file)) as Simulation;
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each(REGRESSIONS.map(({ name, plan }): [string, Plan] => [name, plan]))('%s', async (_, plan) => {
  const { violation, lines } = await sim.outsideMicrotasks(() => sim.play(plan, true));
  expect(violation, lines.join('\n')).toBeUndefined();
});
