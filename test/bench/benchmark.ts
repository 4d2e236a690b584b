/** What the benchmarks in a browser have in common: a cluster, pages, and the figures with what they were measured on. */
import { writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { startCluster } from '../../demo/cluster.ts';
import { ensureDist } from '../../tools/dist.ts';
import { Harness } from './harness.ts';
import { isUsage, usageLine } from '../../tools/args.ts';
import type { Options } from './options.ts';
import { show, type Section } from './tables.ts';

type Common = Pick<Options, 'browser' | 'rttMs' | 'health' | 'json' | 'help'> & {
  readonly other?: string | undefined;
};

/** Runs a benchmark as a program: prints its sections, or one line that says what is wrong with the call. */
export async function benchmark<O extends Common>(
  help: string,
  parse: () => O,
  measure: (harness: Harness, o: O) => Promise<Section[]>,
): Promise<void> {
  try {
    const o = parse();
    if (o.help) console.log(help);
    else await run(o, measure);
  } catch (error) {
    const usage = isUsage(error);
    console.error(usage ? usageLine(error) : error);
    process.exitCode = usage ? 2 : 1;
  }
}

async function run<O extends Common>(
  o: O,
  measure: (harness: Harness, o: O) => Promise<Section[]>,
): Promise<void> {
  await ensureDist();
  const before = loadavg()[0]!;
  const cluster = await startCluster({ rttMs: o.rttMs, health: o.health });
  let harness: Harness | undefined;
  let sections: Section[];
  try {
    harness = await Harness.start(o.browser, cluster, o.other);
    sections = await measure(harness, o);
  } finally {
    await harness?.close();
    await cluster.stop();
  }
  const machine = {
    node: process.version,
    cpus: cpus().length,
    loadBefore: before,
    loadAfter: loadavg()[0]!,
  };
  const { browser, rttMs, health } = o;
  const load = `The machine has ${machine.cpus} cores. Its load was ${before.toFixed(1)} before and ${machine.loadAfter.toFixed(1)} after.`;
  console.log(
    `Measured in ${browser} with a round trip of ${rttMs} ms, without TLS. The health check asks the ${health}. ${load}`,
  );
  console.log(
    'Browser, cluster and balancer share these cores, and a page that lags shows it as its own time.\n',
  );
  for (const section of sections) console.log(show(section));
  if (o.json !== undefined) {
    const document = { at: new Date().toISOString(), options: o, machine, sections };
    await writeFile(o.json, JSON.stringify(document, null, 1));
  }
}
