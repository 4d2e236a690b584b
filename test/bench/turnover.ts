/** What pages go through while nodes are drained and restarted, and whether anything got lost on the way. */
import type { Page } from 'puppeteer-core';
import type { NodeId } from '../../demo/cluster.ts';
import { accountOf, gapsOf, type CallAccount, type Gaps } from './continuity.ts';
import { begin, busiest, healthy, nodeOf, pause, settle, type BenchPage, type Harness } from './harness.ts';
import type { ClientName, Options, TurnoverName } from './options.ts';
import { serverCounters, serverTodos } from './server-view.ts';
import { rounded, type Row, type Section } from './tables.ts';

const CALL_EVERY_MS = 100;
/** A drained node has gone by then, or never goes. */
const GONE_MS = 30_000;
/** As long as calls wait by default. */
const CALLS_MS = 60_000;

interface PageResult {
  readonly gaps: Gaps;
  readonly downs: number;
  readonly handovers: number;
  readonly calls?: CallAccount;
  /** Todos the app was shown again after they were gone. */
  readonly reappeared?: number;
  /** The documents are the server's. */
  readonly exact?: boolean;
}

export async function turnover(
  harness: Harness,
  o: Options,
  faults: readonly TurnoverName[],
): Promise<Section> {
  const rows: Row[] = [];
  const raw: Record<string, unknown> = {};
  const apart: number[] = [];
  for (const fault of faults) {
    for (const client of o.clients) {
      process.stderr.write(`Pages of ${client} live through ${o.outages} times ${fault}.\n`);
      const { pages, starts } = await play(harness, o, client, fault);
      rows.push(rowOf(fault, client, starts.length, pages));
      raw[`${fault} ${client}`] = { pages, starts };
      apart.push(...starts.slice(1).map((at, i) => at - starts[i]!));
    }
  }
  return {
    title: 'Drain and rolling restart',
    notes: [
      `The policy is ${o.policy}${o.standby ? ' with a warm standby' : ''}. Drains are ${rounded(apart, 0.5) ?? '–'} ms apart at the median. Each waits until both nodes run and the balancer sends to them.`,
      'A link is a socket that is open and has delivered a frame. A gap is a time without any.',
      `Every ${CALL_EVERY_MS} ms a page calls todos.add with a new id, count with a new key, and todos.remove with an old id. A call is lost when it never settles, or is done and not to be seen.`,
      '"reappeared" counts removed todos that are shown again, when a replacement is some milliseconds behind the connection it replaces.',
      '"ran twice" counts calls sent again that the server had carried out already, which at-least-once allows.',
    ],
    rows,
    raw,
  };
}

async function play(
  harness: Harness,
  o: Options,
  client: ClientName,
  fault: TurnoverName,
): Promise<{ pages: PageResult[]; starts: number[] }> {
  const { cluster } = harness;
  const options = { policy: o.policy, standby: o.standby ? 'warm' : 'off' } as const;
  const opened: BenchPage[] = [];
  const starts: number[] = [];
  const calls = client === 'ours';
  try {
    // The app draws every change of every page: that would be measured too.
    for (let i = 0; i < o.pages; i++) opened.push(await harness.open(calls ? 'ddp' : client, options));
    const pages = opened.map(({ page }) => page);
    const run = Date.now().toString(36);
    await begin(pages);
    if (calls)
      await Promise.all(
        pages.map((page, i) =>
          page.evaluate((...args) => window.bench.change(...args), CALL_EVERY_MS, `${run}-${i}`),
        ),
      );
    const from = Date.now();
    for (let k = 0; k < o.outages; k++) {
      const nodes: NodeId[] =
        fault === 'rolling' ? ['a', 'b'] : [busiest(await Promise.all(pages.map(nodeOf)))];
      for (const node of nodes) {
        await pause(Math.max(0, (starts.at(-1) ?? 0) + o.gapMs - Date.now()));
        starts.push((await cluster.apply(node, 'drain')).at);
        await gone(harness, node);
        await cluster.apply(node, 'restart');
        await healthy(cluster);
      }
    }
    await Promise.all(pages.map((page) => settle(page).catch(() => {})));
    const to = Date.now();
    if (calls)
      await Promise.all(pages.map((page) => page.evaluate((ms) => window.bench.endCalls(ms), CALLS_MS)));
    const results = [];
    for (const page of pages) results.push(await result(harness, page, calls, from, to));
    return { pages: results, starts };
  } finally {
    await Promise.all(opened.map((page) => page.close()));
  }
}

/** Waits until a drained node has ended. */
async function gone({ cluster }: Harness, node: NodeId): Promise<void> {
  const deadline = Date.now() + GONE_MS;
  while ((await cluster.state()).nodes.some(({ id, app }) => id === node && app !== 'stopped')) {
    if (Date.now() > deadline)
      throw new Error(`Node ${node} was drained, and after ${GONE_MS} ms it still runs.`);
    await pause(20);
  }
}

async function result(
  { cluster }: Harness,
  page: Page,
  called: boolean,
  from: number,
  to: number,
): Promise<PageResult> {
  const { dials, downs, handovers } = await page.evaluate(() => ({
    dials: window.bench.dials,
    downs: window.bench.downs.length,
    handovers: window.bench.handovers.length,
  }));
  const common = { gaps: gapsOf(dials, from, to), downs, handovers };
  if (!called) return common;
  const { calls, added, reappeared } = await page.evaluate(() => ({
    calls: window.bench.calls,
    reappeared: window.bench.reappeared,
    added: window.bench.added,
  }));
  const keys = calls.filter(({ kind }) => kind === 'count').map(({ id }) => id);
  return {
    ...common,
    reappeared,
    calls: accountOf(calls, added, await serverCounters(cluster, keys)),
    exact: await sameDocuments(page, JSON.stringify(await serverTodos(cluster))),
  };
}

/** Nothing changes any more, but the other pages' last changes may still be on their way here. */
const sameDocuments = (page: Page, wanted: string): Promise<boolean> =>
  page
    .waitForFunction(
      (text) => JSON.stringify(window.bench.documents()) === text,
      { timeout: 5000, polling: 100 },
      wanted,
    )
    .then(
      () => true,
      () => false,
    );

function rowOf(fault: string, client: string, drains: number, pages: readonly PageResult[]): Row {
  const sum = (of: (page: PageResult) => number): number =>
    pages.reduce((total, page) => total + of(page), 0);
  const ofCalls = (key: keyof CallAccount): number | undefined =>
    pages[0]?.calls && sum(({ calls }) => calls?.[key] ?? 0);
  return {
    fault,
    client,
    pages: pages.length,
    drains,
    handovers: sum(({ handovers }) => handovers),
    gaps: sum(({ gaps }) => gaps.count),
    'longest gap': Math.round(Math.max(...pages.map(({ gaps }) => gaps.longestMs))),
    down: sum(({ downs }) => downs),
    calls: ofCalls('made'),
    lost: ofCalls('lost'),
    doubled: ofCalls('doubled'),
    failed: ofCalls('failed'),
    'ran twice': ofCalls('ranTwice'),
    reappeared: pages[0]?.calls && sum(({ reappeared = 0 }) => reappeared),
    'slowest call':
      pages[0]?.calls && Math.round(Math.max(...pages.map(({ calls }) => calls?.slowestMs ?? 0))),
    'documents exact': pages[0]?.exact === undefined ? undefined : pages.every(({ exact }) => exact),
  };
}
