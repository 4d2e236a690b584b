/** What happens while no node fails: false alarms of a network that stalls, and what a page at rest costs. */
import type { BrowserContext, Page } from 'puppeteer-core';
import { accountOf, perHour, type Traffic } from './continuity.ts';
import { begin, pause, type BenchPage, type ClientStats, type Harness, type PageClient } from './harness.ts';
import type { Options } from './options.ts';
import type { Row, Section } from './tables.ts';

const stalled = { share: 0.3, minMs: 300, maxMs: 1000 };
/** Rare enough that the heartbeat has to speak in between. */
const CALL_EVERY_MS = 1500;
const CALLS_MS = 60_000;
/** Longest idle time a policy takes: the page counts as used all the while. */
const NEVER_IDLE_MS = 86_400_000;
/** Shortest one: it counts as idle all the while. */
const ALWAYS_IDLE_MS = 10;

/** Minutes with stalls on part of the pings. */
export async function stalls(harness: Harness, o: Options): Promise<Section> {
  const minutes = o.minutes ?? 10;
  const rows: Row[] = [];
  const options = {
    policy: { preset: o.policy, idleAfterMs: NEVER_IDLE_MS },
    standby: o.standby ? 'warm' : 'off',
  } as const;
  const opened: BenchPage[] = [];
  try {
    for (let i = 0; i < o.pages; i++) opened.push(await harness.open('ddp', options));
    const pages = opened.map(({ page }) => page);
    // Something to be flickered with.
    await pages[0]!.evaluate(() => window.bench.change(20, 'still'));
    await pages[0]!.waitForFunction(() => window.bench.calls.length > 20);
    await pages[0]!.evaluate((ms) => window.bench.endCalls(ms), CALLS_MS);
    await begin(pages);
    const before = await Promise.all(pages.map((page) => page.evaluate(() => window.bench.stats())));
    await Promise.all(
      pages.map((page, i) =>
        page.evaluate(
          (everyMs, stall) => {
            window.bench.countEvents();
            window.bench.echo(everyMs);
            window.bench.stallPings(stall);
          },
          CALL_EVERY_MS,
          { ...stalled, path: o.stallScope === 'path', seed: o.seed + i },
        ),
      ),
    );
    process.stderr.write(`The network stalls for ${minutes} min.\n`);
    await pause(minutes * 60_000);
    for (const [i, page] of pages.entries())
      rows.push({ page: i + 1, ...(await stallRow(page, before[i]!)) });
  } finally {
    await Promise.all(opened.map((page) => page.close()));
  }
  return {
    title: `False alarms: ${minutes} min of stalls`,
    notes: [
      `The policy is ${o.policy}${o.standby ? ' with a warm standby' : ''}, and the pages are in use. After ${stalled.share * 100} % of the pings nothing arrives for ${stalled.minMs} to ${stalled.maxMs} ms (scope ${o.stallScope}, seed ${o.seed}). There is a call every ${CALL_EVERY_MS} ms.`,
      'Events are what the app hears about its 20 documents, of which none changes. Hedges are replacements dialled on suspicion: they are cancelled when the old socket answers first, and take over otherwise.',
    ],
    rows,
  };
}

async function stallRow(page: Page, before: ClientStats): Promise<Row> {
  await page.evaluate((ms) => window.bench.endCalls(ms), CALLS_MS);
  const seen = await page.evaluate(() => ({
    stalls: window.bench.stalls,
    downs: window.bench.downs.length,
    events: window.bench.events,
    warnings: window.bench.warnings.join(' '),
    calls: window.bench.calls,
    stats: window.bench.stats(),
  }));
  const { made, lost, failed, slowestMs } = accountOf(seen.calls, {}, {});
  const since = (key: keyof ClientStats): number => seen.stats[key] - before[key];
  return {
    pings: since('pingsSent'),
    stalls: seen.stalls,
    down: seen.downs,
    events: seen.events,
    calls: made,
    lost,
    failed,
    'slowest call': Math.round(slowestMs),
    suspected: since('suspicions'),
    'hedge dials': since('dials'),
    'hedges cancelled': since('hedgesCancelled'),
    handovers: since('failovers'),
    warnings: seen.warnings === '' ? 'none' : seen.warnings,
  };
}

interface Resting {
  readonly preset: string;
  readonly state: 'in use' | 'idle' | 'hidden';
  readonly page: Page;
}
interface Spent {
  readonly traffic: Traffic;
  readonly taskMs: number | undefined;
  readonly scriptMs: number | undefined;
}

/** Bytes, pings and CPU of pages in which nothing happens. */
export async function idle(harness: Harness, o: Options): Promise<Section> {
  const minutes = o.minutes ?? 1;
  const { context, close } = await harness.profile();
  try {
    const resting: Resting[] = [];
    for (const preset of ['none', 'fast', 'balanced', 'frugal']) {
      for (const state of ['in use', 'idle', 'hidden'] as const) {
        resting.push({ preset, state, page: await rest(harness, context, preset, state) });
      }
    }
    const read = (): Promise<Spent[]> => Promise.all(resting.map(({ page }) => spent(harness, page)));
    const before = await read();
    process.stderr.write(`The pages rest for ${minutes} min.\n`);
    const from = performance.now();
    await pause(minutes * 60_000);
    const after = await read();
    const ms = performance.now() - from;
    return {
      title: 'A page at rest, per hour',
      notes: [
        `The pages speak DDP and have no standby. All pages are open for ${minutes} min, and the figures are scaled to an hour.`,
        'Bytes are payload and WebSocket headers as recorded, and 52 a segment for IPv4 and TCP with timestamps. A frame is one segment, and so is an acknowledgement. TLS would add about 22 bytes a frame.',
        'CPU time is TaskDuration and ScriptDuration of the renderer (Performance.getMetrics). The preset "none" is the page without a connection.',
      ],
      rows: resting.map(({ preset, state }, i) => restRow(preset, state, before[i]!, after[i]!, ms)),
    };
  } finally {
    await close();
  }
}

async function rest(
  harness: Harness,
  context: BrowserContext,
  preset: string,
  state: Resting['state'],
): Promise<Page> {
  const page = await context.newPage({ type: 'window' });
  const client: PageClient = preset === 'none' ? 'none' : 'ddp';
  const idleAfterMs = state === 'idle' ? ALWAYS_IDLE_MS : NEVER_IDLE_MS;
  await harness.load(page, client, { policy: { preset, idleAfterMs }, standby: 'off' });
  await page.evaluate(() => window.bench.rest());
  if (state === 'hidden') await hide(page);
  return page;
}

/** Has another tab of its window in front of it. */
async function hide(page: Page): Promise<void> {
  const opened = page.waitForFunction(() => document.visibilityState === 'hidden', { polling: 100 });
  const front = await page.browserContext().newPage();
  await front.bringToFront();
  await opened;
}

async function spent({ browser }: Harness, page: Page): Promise<Spent> {
  const traffic = await page.evaluate(() => ({ ...window.bench.traffic }));
  // Only Chromium tells.
  const { TaskDuration, ScriptDuration } = browser === 'chromium' ? await page.metrics() : {};
  const inMs = (s: number | undefined): number | undefined => s && s * 1000;
  return { traffic, taskMs: inMs(TaskDuration), scriptMs: inMs(ScriptDuration) };
}

function restRow(preset: string, state: string, before: Spent, after: Spent, ms: number): Row {
  const keys = Object.keys(after.traffic) as (keyof Traffic)[];
  const during = Object.fromEntries(
    keys.map((key) => [key, after.traffic[key] - before.traffic[key]]),
  ) as unknown as Traffic;
  const { pings, upBytes, downBytes } = perHour(during, ms);
  const cpu = (key: 'taskMs' | 'scriptMs'): number | undefined => {
    const [from, to] = [before[key], after[key]];
    return from === undefined || to === undefined
      ? undefined
      : Math.round(((to - from) / ms) * 3_600_000) / 1000;
  };
  return {
    preset,
    state,
    'pings seen': during.pings,
    'pings / h': pings,
    'kB up / h': Math.round(upBytes / 100) / 10,
    'kB down / h': Math.round(downBytes / 100) / 10,
    'renderer s / h': cpu('taskMs'),
    'script s / h': cpu('scriptMs'),
  };
}
