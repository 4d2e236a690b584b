/** All benchmarks by name. A benchmark is loaded when it runs, so that the list is there at once. */
import { pageBenches, type PageBenchName } from './options.ts';

export interface Benchmark {
  /** One sentence: what it measures. */
  readonly about: string;
  /** Runs it with the rest of the command line. */
  run(args: readonly string[]): Promise<void>;
}

const inPages = (name: PageBenchName, about: string): Benchmark => ({
  about,
  run: async (args) => (await import('./page-benches.ts')).runPageBench(name, args),
});

export const benchmarks: Readonly<Record<string, Benchmark>> = {
  ...Object.fromEntries(
    (Object.keys(pageBenches) as PageBenchName[]).map((name) => [
      name,
      inPages(name, pageBenches[name].about),
    ]),
  ),
  meteor: {
    about:
      'Measures the time until a real Meteor app is served again, as it is and with the library installed.',
    run: async (args) => (await import('./meteor.ts')).run(args),
  },
  ddp: {
    about: 'Measures what a failover and a stream of changes cost DDPClient under Node, beside simpleddp.',
    run: async (args) => (await import('./ddp/main.ts')).run(args),
  },
};

const width = Math.max(...Object.keys(benchmarks).map((name) => name.length));

/** What `npm run bench` prints when no benchmark is named. */
export const list = `npm run bench -- NAME [options]

${Object.entries(benchmarks)
  .map(([name, { about }]) => `  ${name.padEnd(width)}  ${about}`)
  .join('\n')}

\`npm run bench -- NAME --help\` lists the options of one. A benchmark takes from a minute to an hour. Give it a quiet machine.`;

/** The one line that answers a name which does not exist. */
export const unknownName = (name: string): string =>
  `There is no benchmark "${name}". The names are ${Object.keys(benchmarks).join(', ')}.`;
