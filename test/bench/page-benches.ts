/** The benchmarks that run in a real browser against the demo cluster. Each kind of measurement has a file of its own. */
import { benchmark } from './benchmark.ts';
import type { Harness } from './harness.ts';
import {
  helpOf,
  isOutage,
  isTabFault,
  isTurnover,
  parseOptions,
  type Options,
  type PageBenchName,
} from './options.ts';
import { outage, pacing } from './pacing.ts';
import { idle, stalls } from './rest.ts';
import { series } from './series.ts';
import type { Section } from './tables.ts';
import { tabs } from './tabs.ts';
import { turnover } from './turnover.ts';

type Measure = (harness: Harness, o: Options) => Promise<Section[]>;

const measures: Readonly<Record<PageBenchName, Measure>> = {
  failover: (harness, o) => series(harness, o, o.faults.filter(isOutage)),
  drain: async (harness, o) => [await turnover(harness, o, o.faults.filter(isTurnover))],
  tabs: async (harness, o) => [await tabs(harness, o, o.faults.filter(isTabFault))],
  stalls: async (harness, o) => [await stalls(harness, o)],
  idle: async (harness, o) => [await idle(harness, o)],
  outage: async (harness, o) => [await outage(harness, o)],
  pacing: async (harness, o) => [await pacing(harness, o)],
};

/** Runs one benchmark with these command line arguments. */
export const runPageBench = (name: PageBenchName, args: readonly string[]): Promise<void> =>
  benchmark(helpOf(name), () => parseOptions(name, args), measures[name]);
