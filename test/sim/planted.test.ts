import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { bundle } from './bundle.ts';
import { PLANTED } from './planted/patches.ts';
import { playAll } from './pool.ts';
import type { Simulation } from './seed.ts';
import { shrink } from './shrink.ts';

// A check that never fails checks nothing: faults are put into the library, and each must be found, and be told in a few steps.

const folder = mkdtempSync(join(tmpdir(), 'planted-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Which rule finds it. */
const FOUND_BY: Record<string, string> = {
  'a call with retry: false is sent again': 'sent-twice',
  'frames of the connection before still reach the app after a handover': 'former-connection',
  'hedges are not taken from the budget': 'budget',
  'a timer is left after close': 'left',
  'a document that did not change raises an event after a failover': 'events',
  'a lone user waits as long as a crowd': 'pace',
  'what is sent while the connection is suspect goes out': 'suspect',
  'the registry is replayed in reverse': 'order',
};

test.each(Object.keys(FOUND_BY).map((name, i) => ({ name, i })))('$name', async ({ name, i }) => {
  const file = join(folder, `planted-${i}.mjs`);
  await bundle(file, PLANTED[name]);
  const { violations } = await playAll(file, { from: 1, to: 2_001 }, { stopAfter: 1 });
  const found = violations[0];
  expect(found?.violation.rule).toBe(FOUND_BY[name]);
  const sim = (await import(file)) as Simulation;
  const small = await shrink(sim, sim.generate(found!.seed), found!.violation.rule);
  expect(small.steps.length, JSON.stringify(small.steps)).toBeLessThanOrEqual(15);
});
