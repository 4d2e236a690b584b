/** Time until a page is served by the surviving node: rounds of a few pages, each of which may live through several outages. */
import type { Page } from 'puppeteer-core';
import type { Cluster } from '../../demo/cluster.ts';
import {
  begin,
  busiest,
  healthy,
  isTimeout,
  nodeOf,
  pause,
  settle,
  type BenchPage,
  type Harness,
} from './harness.ts';
import type { ClientName, Options, OutageName } from './options.ts';
import { outcomeOf, type Outcome } from './outcome.ts';
import { outcomeRow, ratioRows, rounded, type Row, type Section } from './tables.ts';

export async function series(
  harness: Harness,
  o: Options,
  faults: readonly OutageName[],
): Promise<Section[]> {
  const rows: Row[] = [];
  const ratios: Row[] = [];
  const raw: Record<string, readonly Outcome[]> = {};
  const gaps: number[] = [];
  for (const fault of faults) {
    const results = new Map<ClientName, Outcome[]>(o.clients.map((client) => [client, []]));
    // In turns: whatever the machine does meanwhile, it does to all of them.
    for (;;) {
      const waiting = o.clients.filter((client) => results.get(client)!.length < o.victims);
      if (waiting.length === 0) break;
      for (const client of waiting) {
        const outcomes = results.get(client)!;
        const warm = o.standby && /(ours|plain)$/.test(client);
        const options = { policy: o.policy, standby: o.standby ? 'warm' : 'off' } as const;
        const open = () => harness.open(client, options);
        const round = await playRound(harness.cluster, fault, { ...o, warm, open });
        outcomes.push(...round.outcomes);
        gaps.push(...round.gaps);
        process.stderr.write(
          `\rFault ${fault}, client ${client}: ${outcomes.length} of ${o.victims} victims are measured. `,
        );
      }
    }
    process.stderr.write('\n');
    for (const [client, outcomes] of results) {
      rows.push(outcomeRow(fault, client, outcomes));
      raw[`${fault} ${client}`] = outcomes;
    }
    ratios.push(...ratioRows(fault, results));
  }
  const notes = [
    `The policy is ${o.policy}${o.standby ? ' with a warm standby' : ''}. A round has ${o.pages} pages. A page is stuck when it is not served within ${o.limitMs} ms.`,
    `Times are in ms from the fault. A page is served when application data of the surviving node arrives. The overhead is that time, less the time until the fault is noticed, less the time with an attempt under way.`,
    o.outages === 1
      ? 'A page lives through one outage.'
      : `A page lives through ${o.outages} outages, one after the other. They are ${rounded(gaps, 0.5)} ms apart at the median, and at least ${rounded(gaps, 0)} ms, since engines and policies remember dials for minutes.`,
  ];
  const sections: Section[] = [{ title: 'Time until served', notes, rows, raw }];
  if (ratios.length > 0) {
    sections.push({
      title: 'Beside each other',
      notes: [
        'Rounds take turns.',
        '"at equal luck" is the ratio of medians when outcomes weigh as if both had met the dead node equally often. That is the balancer’s coin.',
        'A client beside its `other-` one compares two builds.',
        'bare is served by a greeting, and compares with plain. bare-ddp is served by a subscription, as the todo app is, and compares with ours.',
      ],
      rows: ratios,
    });
  }
  return sections;
}

export interface Round extends Pick<Options, 'pages' | 'outages' | 'gapMs' | 'limitMs'> {
  /** Wait for a warm standby. */
  readonly warm: boolean;
  open(): Promise<BenchPage>;
}

/** Outcomes of one set of pages, and the time between the beginnings of its outages. */
export async function playRound(
  cluster: Cluster,
  fault: OutageName,
  o: Round,
): Promise<{ outcomes: Outcome[]; gaps: number[] }> {
  const outcomes: Outcome[] = [];
  const starts: number[] = [];
  let pages: BenchPage[] = [];
  try {
    // One after the other: the start of a page is the heaviest part, and no part of the measurement.
    for (let i = 0; i < o.pages; i++) pages.push(await o.open());
    for (let k = 0; k < o.outages && pages.length > 0; k++) {
      await pause(Math.max(0, (starts.at(-1) ?? 0) + o.gapMs - Date.now()));
      pages = await stillSettled(pages, o.warm);
      await begin(pages.map(({ page }) => page));
      const nodes = await Promise.all(pages.map(({ page }) => nodeOf(page)));
      const failing = busiest(nodes);
      const victims = pages.filter((_, i) => nodes[i] === failing).map(({ page }) => page);
      if (victims.length === 0) continue;
      const served = victims.map((page) =>
        page.evaluate((...args) => window.bench.moved(...args), failing, o.limitMs),
      );
      // Orders of one page are carried out in turn: when this is answered, all of them listen.
      await Promise.all(victims.map((page) => page.evaluate(() => 0)));
      const { at } = await cluster.apply(failing, fault);
      starts.push(at);
      await Promise.all(served);
      outcomes.push(...(await Promise.all(victims.map((page) => read(page, at, failing)))));
      await cluster.apply(failing, 'restart');
      await healthy(cluster);
    }
    return { outcomes, gaps: starts.slice(1).map((at, i) => at - starts[i]!) };
  } finally {
    await Promise.all(pages.map((page) => page.close()));
  }
}

const read = async (page: Page, at: number, failing: string): Promise<Outcome> =>
  outcomeOf(await page.evaluate(() => window.bench.recording()), at, failing);

/** Those that settle; the others are closed: they have been counted as stuck. */
async function stillSettled(pages: readonly BenchPage[], warm: boolean): Promise<BenchPage[]> {
  const fine = await Promise.all(
    pages.map(({ page }) =>
      settle(page, warm).then(
        () => true,
        (error: unknown) => {
          if (isTimeout(error)) return false;
          throw error;
        },
      ),
    ),
  );
  await Promise.all(pages.filter((_, i) => !fine[i]).map((page) => page.close()));
  return pages.filter((_, i) => fine[i]);
}
