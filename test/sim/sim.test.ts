import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle } from './bundle.ts';
import { playAll } from './pool.ts';
import type { Simulation } from './seed.ts';

// The library, in worlds where nodes, networks, browsers and pages fail by the dice. `npm run sim -- --seed N --trace` tells one.

const SEEDS = 2_000;

const folder = mkdtempSync(join(tmpdir(), 'sim-'));
const file = join(folder, 'simulation.mjs');
beforeAll(() => bundle(file));
afterAll(() => rmSync(folder, { recursive: true }));

test(`${SEEDS} seeds break no rule`, async () => {
  const { violations, seeds } = await playAll(file, { from: 1, to: SEEDS + 1 }, { stopAfter: 5 });
  expect(violations.map(({ seed, violation: { rule, text } }) => `seed ${seed}, ${rule}: ${text}`)).toEqual(
    [],
  );
  expect(seeds).toBe(SEEDS);
});

test('a seed plays the same every time', async () => {
  const sim = (await import(file)) as Simulation;
  for (const seed of [1, 2, 3, 4, 5]) {
    const play = () => sim.outsideMicrotasks(() => sim.play(sim.generate(seed), true).lines);
    expect(await play()).toEqual(await play());
  }
});
