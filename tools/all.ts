/**
 * `npm test`: everything the project promises about itself. The last line is the count of both steps and tests.
 *
 * What runs in real time (processes, browsers) runs one after the other, at normal priority, and mostly waits. What only
 * computes (types, lint, virtual time) runs beside it at the lowest priority and takes the processor time that is left.
 * `--serial` runs one step at a time, to see whether a failure depends on that.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCommandLine, flag } from './args.ts';
import { bin, projectRoot } from './run.ts';
import { find } from './setup.ts';
import { Runner, script, type Step } from './steps.ts';

const { serial } = parseCommandLine(
  `npm test -- [--serial]

Runs every check and every test. The last line is the count.
  --serial  Runs one step at a time. It takes longer, and shows whether a failure depends on what runs beside a test.
  --help    Prints this text.`,
  { serial: flag },
  (values) => values,
);

const parts = join(projectRoot, '.cache/test-parts');

/** A run of some of vitest's projects. With coverage it leaves its part, and all parts are judged together. */
function tests(projects: readonly string[], more: readonly string[] = []): Pick<Step, 'command' | 'env'> {
  return {
    command: [
      bin('vitest'),
      'run',
      ...projects.map((name) => `--project=${name}`),
      '--reporter=default',
      '--reporter=./tools/progress.ts',
      ...more,
    ],
    env: { TEST_PART: 'true' },
  };
}
const withCoverage = (name: string): string[] => [
  '--coverage',
  `--coverage.reportsDirectory=.cache/coverage-${name}`,
  '--reporter=blob',
  `--outputFile.blob=${join(parts, `${name}.json`)}`,
];

const prepare: readonly Step[] = [
  { name: 'set-up', command: script('setup'), isShown: true },
  { name: 'build', command: script('build') },
];

const virtualTime: readonly Step[] = [
  {
    name: 'tests in virtual time',
    ...tests(['unit', 'scenario', 'sim'], withCoverage('virtual')),
    isBackground: true,
  },
];

// In one lane: two steps that pack the package at the same time would remove each other's files.
const staticChecks: readonly Step[] = [
  { name: 'types', command: script('typecheck'), isBackground: true },
  { name: 'lint', command: script('lint'), isBackground: true },
  { name: 'format', command: script('format:check'), isBackground: true },
  { name: 'size', command: script('size'), isBackground: true, isShown: true },
  { name: 'package', command: script('check:package'), isBackground: true },
  { name: 'tests of the package', ...tests(['package']), isBackground: true },
  // A dead link, or a page that the site cannot build, ends it.
  { name: 'documentation', command: script('docs'), isBackground: true },
];

function realTime(hasChromium: boolean): readonly Step[] {
  const smoke = { name: 'smoke', command: script('demo', '--smoke') };
  return [
    hasChromium ? smoke : { ...smoke, skipped: 'Chromium is missing.' },
    { name: 'integration tests', ...tests(['integration'], withCoverage('integration')) },
    { name: 'browser tests', ...tests(['browser']) },
  ];
}

const coverage: Step = {
  name: 'coverage',
  command: [
    bin('vitest'),
    'run',
    `--merge-reports=${parts}`,
    '--coverage',
    '--reporter=json',
    '--outputFile.json=.cache/tests.json',
  ],
  isShown: true,
};

await rm(parts, { recursive: true, force: true });
await mkdir(parts, { recursive: true });
// Set-up may install Chromium, so whether the smoke run is skipped is known after it.
const lanes = (hasChromium: boolean) => [realTime(hasChromium), virtualTime, staticChecks];
const total = [...prepare, ...lanes(true).flat(), coverage].length;
const runner = new Runner({ total });
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    runner.stop(signal);
    process.exit(130);
  });
await runner.run(prepare);
const work = lanes((await find('chromium')) !== undefined);
await runner.run(...(serial ? [work.flat()] : work));
const isComplete = runner.failures.every((name) => !name.includes('tests'));
await runner.run([isComplete ? coverage : { ...coverage, skipped: 'It counts when all tests have passed.' }]);
process.exitCode = runner.finish();
