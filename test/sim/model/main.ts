/** `tsx test/sim/model/main.ts [depth]`: explores all worlds, to the end unless a depth is given. */
import { transition } from '../../../src/core/state.ts';
import { SHAPES, worldOf } from './domain.ts';
import { explore } from './explore.ts';

const depth = Number(process.argv[2] ?? Infinity);
let failed = false;
for (const shape of SHAPES) {
  const world = worldOf(shape);
  const from = performance.now();
  const { states, steps, depth: found, violation } = explore(transition, world, depth);
  const seconds = ((performance.now() - from) / 1_000).toFixed(1);
  console.log(`${world.name}: ${states} states, ${steps} steps, depth ${found}, ${seconds} s`);
  if (violation !== undefined) console.log(`  ${violation}`);
  failed ||= violation !== undefined;
}
process.exitCode = failed ? 1 : 0;
