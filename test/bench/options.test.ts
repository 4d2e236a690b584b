import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { UsageError, usageLine } from '../../tools/args.ts';
import { bin, projectRoot } from '../../tools/run.ts';
import { benchmarks } from './catalogue.ts';
import { helpOf, pageBenches, parseOptions, type PageBenchName } from './options.ts';

const names = Object.keys(pageBenches) as PageBenchName[];

describe('options of a benchmark', () => {
  it.each<[PageBenchName, object]>([
    ['failover', { clients: ['ours'], faults: ['stop'], rttMs: 40 }],
    ['drain', { faults: ['drain'], outages: 1 }],
    ['tabs', { faults: ['stop'], tabs: 8, holdMs: 15_000 }],
    ['stalls', { faults: [], minutes: undefined, stallScope: 'socket' }],
    ['outage', { failures: 300 }],
  ])('are complete without any: %s', (name, expected) => {
    expect(parseOptions(name, [])).toMatchObject(expected);
  });

  it.each<[PageBenchName, string[], object]>([
    ['failover', ['--fault', 'hang,kill', '--standby'], { faults: ['hang', 'kill'], standby: true }],
    ['tabs', ['--tabs', '5', '--fault', 'hang-both'], { tabs: 5, faults: ['hang-both'] }],
    ['outage', ['--failures', '20', '--limit', '9'], { failures: 20, limitMs: 9 }],
  ])('of %s are taken: %j', (name, args, expected) => {
    expect(parseOptions(name, args)).toMatchObject(expected);
  });

  it.each<[PageBenchName, string[], string]>([
    [
      'failover',
      ['--fault', 'stop,flood'],
      'The option --fault takes one of stop, kill, hang, blackhole, but it got "flood".',
    ],
    [
      'failover',
      ['--victims', 'many'],
      'The option --victims takes a number of at least 1, but it got "many".',
    ],
    ['idle', ['--rtt', ''], 'The option --rtt takes a number of at least 0, but it got "".'],
    [
      'tabs',
      ['--fault', 'rolling'],
      'The option --fault takes one of stop, kill, hang, blackhole, hang-both, but it got "rolling".',
    ],
  ])('of %s are refused by name and value: %j', (name, args, message) => {
    expect(() => parseOptions(name, args)).toThrow(new UsageError(message));
  });

  it.each<[PageBenchName, string[]]>([
    ['failover', ['--tabs', '8']],
    ['idle', ['--fault', 'stop']],
    ['pacing', ['--failures', '3']],
  ])('of another benchmark are refused: %s %j', (name, args) => {
    let line = '';
    try {
      parseOptions(name, args);
    } catch (error) {
      line = usageLine(error as Error);
    }
    expect(line).toBe(`Unknown option '${args[0]}'. The option --help lists what there is.`);
  });

  it.each(names)('are all in the help: %s', (name) => {
    const help = helpOf(name);
    for (const flag of pageBenches[name].flags)
      expect(help).toMatch(new RegExp(`^  --${flag} +[A-Z\\w].+`, 'm'));
  });
});

// Each starts a process that compiles what it imports.
describe('npm run bench', { timeout: 30_000 }, () => {
  const bench = (...args: string[]) =>
    promisify(execFile)(bin('tsx'), ['test/bench/main.ts', ...args], { cwd: projectRoot });

  it('lists every benchmark with one sentence', async () => {
    const { stdout } = await bench();
    for (const [name, { about }] of Object.entries(benchmarks)) {
      expect(about).toMatch(/^[A-Z][^\n]+\.$/);
      expect(stdout).toMatch(new RegExp(`^  ${name} +${about.slice(0, 20)}`, 'm'));
    }
    expect((await bench('--help')).stdout).toBe(stdout);
  });

  it('answers a name that does not exist with one line and exit code 2', async () => {
    const answer = await bench('failovr').catch((error: unknown) => error);
    expect(answer).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `There is no benchmark "failovr". The names are ${Object.keys(benchmarks).join(', ')}.\n`,
    });
  });

  it.each(['meteor', 'ddp'])('answers a wrong option of %s with one line and exit code 2', async (name) => {
    const answer = await bench(name, '--runs', 'x', '--speed').catch((error: unknown) => error);
    expect(answer).toMatchObject({ code: 2, stdout: '' });
    expect((answer as { stderr: string }).stderr).toMatch(/^[^\n]+\.\n$/);
  });
});
