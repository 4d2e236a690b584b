/**
 * What a failover costs a page, in a real browser against the demo cluster: the figures this project promises. `--help` tells what
 * can be measured; each kind of measurement has a file of its own.
 */
import { benchmark } from './benchmark.ts';
import type { Harness } from './harness.ts';
import { UsageError } from '../../tools/args.ts';
import { help, isOutage, isTurnover, parseOptions, type Options } from './options.ts';
import { failures, pacing } from './pacing.ts';
import { idle, stalls } from './rest.ts';
import { series } from './series.ts';
import type { Section } from './tables.ts';
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

await benchmark(() => parseOptions(process.argv.slice(2)), help, measure);
