/**
 * Everything the project promises about itself: set-up, static checks, the package, the demo's smoke run, then all tests.
 * The last line is the count of both checks and tests.
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { find } from './setup.ts';
import { bin, projectRoot, run } from './run.ts';

const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['set-up', 'npm', 'run', '--silent', 'setup'],
  ['format', 'npm', 'run', '--silent', 'format:check'],
  ['types', 'npm', 'run', '--silent', 'typecheck'],
  ['lint', 'npm', 'run', '--silent', 'lint'],
  ['build', 'npm', 'run', '--silent', 'build'],
  ['size', 'npm', 'run', '--silent', 'size'],
  ['package', 'npm', 'run', '--silent', 'check:package'],
];

const report = join(projectRoot, '.cache/vitest.json');
const vitest = ['run', '--coverage', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];

let passed = 0;
const failed: string[] = [];

async function check(name: string, command: string, ...args: string[]): Promise<void> {
  console.log(`\n── ${name}`);
  const started = performance.now();
  const code = await run(command, args, { stdout: 'stdout' });
  console.log(
    `── ${name}: ${code === 0 ? 'ok' : `failed (${code})`}, ${Math.round(performance.now() - started)} ms`,
  );
  if (code === 0) passed++;
  else failed.push(name);
}

interface Counts {
  numPassedTests: number;
  numFailedTests: number;
}

await rm(report, { force: true });
await mkdir(join(projectRoot, '.cache'), { recursive: true });

for (const [name, command, ...args] of checks) await check(name, command, ...args);
if (await find('chromium')) await check('smoke', 'npm', 'run', '--silent', 'demo', '--', '--smoke');
else console.log('\n── smoke: skipped, Chromium is missing');
await check('tests', bin('vitest'), ...vitest);

const counts = await readFile(report, 'utf8').then(
  (text) => JSON.parse(text) as Counts,
  () => ({ numPassedTests: 0, numFailedTests: 0 }),
);
if (failed.length > 0) console.log(`\nfailed: ${failed.join(', ')}`);
// The run of all tests is no test of its own where its failure is already counted test by test.
const total =
  failed.length + counts.numFailedTests - (failed.includes('tests') && counts.numFailedTests > 0 ? 1 : 0);
console.log(`\n${passed + counts.numPassedTests} passed, ${total} failed`);
if (failed.length > 0) process.exitCode = 1;
