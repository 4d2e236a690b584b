/** Several tabs of one profile on the failing node: one engine queues their handshakes, one browser counts what they abandon. */
import type { BrowserContext, Page } from 'puppeteer-core';
import type { Fault, NodeId } from '../../demo/cluster.ts';
import { falseDeadlines } from './continuity.ts';
import { begin, healthy, nodeOf, pause, settle, type Harness } from './harness.ts';
import type { Options, TabFaultName } from './options.ts';
import { outcomeOf, type Recording } from './outcome.ts';
import { rounded, type Row, type Section } from './tables.ts';

/** No coin falls the same way so often. */
const MOST_WINDOWS_PER_TAB = 5;
/** A browser that opens no WebSocket in this time does not open any (Firefox with its leak limit reached). */
const OPENS_MS = 5000;

interface TabsResult {
  /** By the surviving node. */
  readonly servedMs: readonly (number | undefined)[];
  /** After the repair, by whichever node. */
  readonly answeredMs: readonly (number | undefined)[];
  readonly rawMs: number;
  readonly falseDeadlines: number;
  readonly abandoned: number;
  readonly opens: boolean;
  readonly recordings: readonly Recording[];
}

export async function tabs(harness: Harness, o: Options, faults: readonly TabFaultName[]): Promise<Section> {
  const rows: Row[] = [];
  const raw: Record<string, TabsResult> = {};
  for (const fault of faults) {
    for (const client of o.clients) {
      process.stderr.write(`${o.tabs} tabs of ${client} meet the fault ${fault}.\n`);
      const result = await play(harness, o, client, fault);
      raw[`${fault} ${client}`] = result;
      const { servedMs } = result;
      rows.push({
        fault,
        client,
        tabs: servedMs.length,
        'served p50': rounded(servedMs, 0.5),
        'last served': rounded(servedMs, 1),
        'bound 1.5 × (tabs × raw × 2)': saysNo(fault) ? Math.round(3 * o.tabs * result.rawMs) : undefined,
        'raw attempt': Math.round(result.rawMs),
        'not served': fault === 'hang-both' ? undefined : missing(servedMs),
        'last answered after the repair': rounded(result.answeredMs, 1),
        'never answered': missing(result.answeredMs),
        'false deadlines': result.falseDeadlines,
        'abandoned while hung': result.abandoned,
        'opens afterwards': result.opens,
      });
    }
  }
  return {
    title: `${o.tabs} tabs of one profile`,
    notes: [
      `The policy is ${o.policy}${o.standby ? ' with a warm standby' : ''}. Every tab has a window of its own, and all are on the failing node.`,
      'A raw attempt is the median of five handshakes of one tab while all is well, from dial to open.',
      'A deadline is false when it ends an attempt although only another tab was in its way. Where nothing hangs, every one is false.',
      '"abandoned while hung" counts handshakes given up by script or engine between fault and repair. Firefox opens no more after 6.',
    ],
    rows,
    raw,
  };
}

const missing = (times: readonly (number | undefined)[]): number =>
  times.filter((ms) => ms === undefined).length;

/** Whether the dead node answers dials at once. */
const saysNo = (fault: TabFaultName): boolean => fault === 'stop' || fault === 'kill';

async function play(
  harness: Harness,
  o: Options,
  client: Options['clients'][number],
  fault: TabFaultName,
): Promise<TabsResult> {
  const { cluster } = harness;
  const { context, close } = await harness.profile();
  try {
    const { node, pages } = await gather(harness, o, client, context);
    const rawMs = await pages[0]!.evaluate(() => window.bench.rawAttemptMs());
    const both = fault === 'hang-both';
    const failing: readonly NodeId[] = both ? ['a', 'b'] : [node];
    await begin(pages);
    // While both hang there is nobody to be served by.
    const served = both
      ? []
      : pages.map((page) => page.evaluate((...args) => window.bench.moved(...args), node, o.limitMs));
    await Promise.all(pages.map((page) => page.evaluate(() => 0)));
    const what: Fault = both ? 'hang' : fault;
    const [at] = (await Promise.all(failing.map((id) => cluster.apply(id, what)))).map(
      (applied) => applied.at,
    );
    if (both) await pause(o.holdMs);
    else await Promise.all(served);
    const recordings = await Promise.all(pages.map((page) => page.evaluate(() => window.bench.recording())));
    const repaired = Date.now();
    await Promise.all(failing.map((id) => cluster.apply(id, 'restart')));
    const answers = await Promise.all(
      pages.map((page) => page.evaluate((ms) => window.bench.answered(ms), o.limitMs)),
    );
    await healthy(cluster);
    const opens = await pages.at(-1)!.evaluate((ms) => window.bench.opens(ms), OPENS_MS);
    return {
      servedMs: recordings.map((recording) => outcomeOf(recording, at!, node).servedMs),
      answeredMs: answers.map((answer) => answer && answer - repaired),
      rawMs,
      falseDeadlines: falseDeadlines(recordings, !saysNo(fault)),
      abandoned: recordings
        .flatMap(({ dials }) => dials)
        .filter(
          ({ start, open, end }) => start > at! && open === undefined && end !== undefined && !saysNo(fault),
        ).length,
      opens,
      recordings,
    };
  } finally {
    await close();
  }
}

/** Opens windows until enough of them are on one node, and closes the others. */
async function gather(
  harness: Harness,
  o: Options,
  client: Options['clients'][number],
  context: BrowserContext,
): Promise<{ node: NodeId; pages: Page[] }> {
  const on: Record<NodeId, Page[]> = { a: [], b: [] };
  const options = { policy: o.policy, standby: o.standby ? 'warm' : 'off' } as const;
  const warm = o.standby && (client === 'ours' || client === 'plain');
  for (let opened = 0; opened < MOST_WINDOWS_PER_TAB * o.tabs; opened++) {
    const page = await context.newPage({ type: 'window' });
    await harness.load(page, client, options);
    on[(await nodeOf(page)) === 'a' ? 'a' : 'b'].push(page);
    const node = on.a.length >= o.tabs ? 'a' : on.b.length >= o.tabs ? 'b' : undefined;
    if (node === undefined) continue;
    await Promise.all(on[node === 'a' ? 'b' : 'a'].map((other) => other.close()));
    await Promise.all(on[node].map((tab) => settle(tab, warm)));
    return { node, pages: on[node] };
  }
  throw new Error(`Of ${MOST_WINDOWS_PER_TAB * o.tabs} tabs fewer than ${o.tabs} came to one node.`);
}
