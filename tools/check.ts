/** `npm run check`: what to run while working. Types, lint, format, unit tests and stories in virtual time; no browser, no build. */
import { parseCommandLine } from './args.ts';
import { bin } from './run.ts';
import { Runner, script, type Step } from './steps.ts';

parseCommandLine(
  `npm run check

Checks types, lint and format, and runs the unit tests and the stories in virtual time. The last line is the count.
  --help  Prints this text.`,
  {},
  () => undefined,
);

const lanes: readonly (readonly Step[])[] = [
  [
    { name: 'lint', command: script('lint') },
    { name: 'format', command: script('format:check') },
  ],
  [
    { name: 'types', command: script('typecheck') },
    {
      name: 'unit tests and stories',
      command: [
        bin('vitest'),
        'run',
        '--project=unit',
        '--project=scenario',
        // Nothing measures real time here, and vitest's default leaves one core free, which is half of two.
        '--maxWorkers=2',
        '--reporter=default',
        '--reporter=./tools/progress.ts',
      ],
    },
  ],
];

const runner = new Runner({ total: lanes.flat().length });
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    runner.stop(signal);
    process.exit(130);
  });
await runner.run(...lanes);
process.exitCode = runner.finish();
