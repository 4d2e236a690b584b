/**
 * `npm run fuzz`: hostile inputs over all targets, on a process for each core. Prints inputs a second and the heap before and
 * after. A failing input is printed shrunk, with its seed.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseCommandLine, optional, text, UsageError, whole } from '../../../tools/args.ts';
import { targets } from './all.ts';
import { fuzz, type Outcome } from './targets.ts';

interface Result extends Outcome {
  readonly name: string;
  readonly seed: number;
  readonly ms: number;
}
interface Report {
  readonly results: readonly Result[];
  /** MB, after a collection. */
  readonly heapBefore: number;
  readonly heapAfter: number;
}

const { runs, seed, workers, chosen, worker } = parseCommandLine(
  `npm run fuzz -- [options]

Feeds hostile input to everything that reads what a server sends.
  --runs     How many inputs there are over all targets. Default: 20000.
  --seed     The seed of the inputs. Default: 1.
  --only     Takes only the targets that have this text in their name.
  --workers  How many processes share the work. Default: one for each core.
  --help     Prints this text.

The targets are:
${targets.map(({ name }) => `  ${name}`).join('\n')}`,
  {
    runs: text('20000'),
    seed: text('1'),
    only: text(''),
    workers: text(String(availableParallelism())),
    worker: optional,
  },
  (values) => {
    const chosen = targets.filter(({ name }) => name.includes(values.only));
    if (!chosen.length)
      throw new UsageError(
        `The option --only takes a part of one of these names, but it got "${values.only}": ${targets.map(({ name }) => name).join(', ')}.`,
      );
    return {
      runs: whole('runs', values.runs, 1),
      seed: whole('seed', values.seed, 0),
      workers: whole('workers', values.workers, 1),
      chosen,
      worker: values.worker,
    };
  },
);

/** What is left when everything that nobody holds is collected. */
function heap(): number {
  globalThis.gc!();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

/** One process: its part of the inputs of every target, with seeds of its own. */
async function work(number: number): Promise<Report> {
  const shares = chosen.reduce((sum, { share }) => sum + share, 0);
  const results: Result[] = [];
  // The code is compiled, the caches are filled.
  for (const target of chosen) await fuzz(target, 20, seed);
  const heapBefore = heap();
  for (const target of chosen) {
    const from = performance.now();
    const own = seed + number * 1_000_003;
    const outcome = await fuzz(target, Math.ceil((runs / workers) * (target.share / shares)), own);
    results.push({ ...outcome, name: target.name, seed: own, ms: performance.now() - from });
  }
  return { results, heapBefore, heapAfter: heap() };
}

const start = (number: number): Promise<Report> =>
  new Promise((resolve, reject) => {
    const child = fork(
      fileURLToPath(import.meta.url),
      [...process.argv.slice(2), '--worker', String(number)],
      {
        execArgv: [...process.execArgv, '--expose-gc'],
      },
    );
    child.once('message', (report) => {
      resolve(report as Report);
      child.disconnect();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`worker ${number} ended with ${code}`)));
  });

async function main(): Promise<void> {
  const from = performance.now();
  const reports = await Promise.all(Array.from({ length: workers }, (_, number) => start(number)));
  const seconds = (performance.now() - from) / 1_000;
  let all = 0;
  for (const { name } of chosen) {
    const results = reports.flatMap((report) => report.results.filter((result) => result.name === name));
    const inputs = results.reduce((sum, result) => sum + result.inputs, 0);
    const perSecond = results.reduce((sum, result) => sum + (result.inputs / result.ms) * 1_000, 0);
    all += inputs;
    console.log(`${name}: ${inputs} inputs, ${Math.round(perSecond)}/s`);
    for (const { failure, seed } of results)
      if (failure !== undefined) {
        process.exitCode = 1;
        console.log(`FAILED, --seed ${seed} --workers 1 --only '${name}'\n${failure}`);
      }
  }
  const mb = (of: 'heapBefore' | 'heapAfter') => reports.map((report) => report[of].toFixed(1)).join(' and ');
  console.log(
    `${all} inputs in ${seconds.toFixed(0)} s, ${Math.round(all / seconds)}/s, seed ${seed}, ${workers} processes`,
  );
  console.log(`heap before ${mb('heapBefore')} MB, after ${mb('heapAfter')} MB`);
}

if (worker === undefined) await main();
else {
  const report = await work(Number(worker));
  process.send!(report, () => process.exit());
}
