/**
 * What a failover costs a page, in a real browser against the demo cluster: the figures this project promises. `--help` tells what
 * can be measured; each kind of measurement has a file of its own.
 */
import { writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { startCluster } from '../../demo/cluster.ts';
import { ensureDist } from '../tools/dist.ts';
import { Harness } from './harness.ts';
import { help, isOutage, isTurnover, parseOptions, UsageError, type Options } from './options.ts';
import { failures, pacing } from './pacing.ts';
import { idle, stalls } from './rest.ts';
import { series } from './series.ts';
import { show, type Section } from './tables.ts';
import { tabs } from './tabs.ts';
import { turnover } from './turnover.ts';

async function measure(harness: Harness, o: Options): Promise<Section[]> {
  switch (o.mode) {
    case 'outages': {
      const [outages, turnovers] = [o.faults.filter(isOutage), o.faults.filter(isTurnover)];
      return [
        ...(outages.length > 0 ? await series(harness, o, outages) : []),
        ...(turnovers.length > 0 ? [await turnover(harness, o, turnovers)] : []),
      ];
    }
    case 'tabs':
      return [await tabs(harness, o)];
    case 'stalls':
      return [await stalls(harness, o)];
    case 'idle':
      return [await idle(harness, o)];
    case 'failures':
      return [await failures(harness, o)];
    case 'pacing':
      return [await pacing(harness, o)];
    default:
      throw new UsageError(`no such mode: ${String(o.mode satisfies never)}`);
  }
}

async function main(): Promise<void> {
  const o = parseOptions(process.argv.slice(2));
  if (o.help) return console.log(help);
  await ensureDist();
  const before = loadavg()[0]!;
  const cluster = await startCluster({ rttMs: o.rttMs, health: o.health });
  let harness: Harness | undefined;
  let sections: Section[];
  try {
    harness = await Harness.start(o.browser, cluster);
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
  const load = `${machine.cpus} cores, load ${before.toFixed(1)} before and ${machine.loadAfter.toFixed(1)} after`;
  console.log(`${browser}, RTT ${rttMs} ms, health check asks the ${health}, no TLS; ${load}`);
  console.log(
    'Sources of error: browser, cluster and balancer share these cores; a page that lags shows it as its own time.\n',
  );
  for (const section of sections) console.log(show(section));
  if (o.json !== undefined) {
    const document = { at: new Date().toISOString(), options: o, machine, sections };
    await writeFile(o.json, JSON.stringify(document, null, 1));
  }
}

main().catch((error: unknown) => {
  const usage =
    error instanceof UsageError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
  console.error(usage ? (error as Error).message : error);
  process.exitCode = usage ? 2 : 1;
});
