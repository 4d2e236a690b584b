/** Explores all worlds of the machine, to the end unless a depth is given. */
import { transition } from '../../../src/core/rules/machine.ts';
import { parseCommandLine, optional, whole } from '../../../tools/args.ts';
import { SHAPES, worldOf } from './domain.ts';
import { explore } from './explore.ts';

const depth = parseCommandLine(
  `npm run model -- [--depth N]

Explores the link's machine: every event in every state that can be reached.
  --depth  How many events deep. Without it the run goes to the end, in about 10 minutes.
  --help   Prints this text.`,
  { depth: optional },
  ({ depth }) => (depth === undefined ? Infinity : whole('depth', depth, 1)),
);
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
