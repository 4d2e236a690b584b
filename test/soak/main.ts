/**
 * `npm run soak`: Chromium pages against the demo cluster, with faults all the time. At the end heap, listeners, nodes, timers,
 * Workers and sockets are what they were after the warm-up, and no todo is lost or doubled. Otherwise it exits with 1.
 */
import { readFile } from 'node:fs/promises';
import type { CDPSession, Page } from 'puppeteer-core';
import { startCluster, type Cluster } from '../../demo/cluster.ts';
import { pause } from '../bench/harness.ts';
import { serverCounters, serverTodos } from '../bench/server-view.ts';
import { launch, openPage } from '../support/browser/browsers.ts';
import { parseCommandLine, flag, number, text, whole } from '../../tools/args.ts';
import { ensureDist } from '../../tools/dist.ts';
import { projectRoot } from '../../tools/run.ts';
import { Faults } from './faults.ts';
import { judge, type Sample, type Verdict } from './judge.ts';

interface Soak {
  plant: boolean;
  readonly pending: number;
  readonly made: number;
  readonly unconfirmed: number;
  readonly errors: readonly string[];
  alive(): Pick<Sample, 'sockets' | 'workers' | 'timers'>;
  status(): string;
  start(prefix: string, options: object, everyMs: number): void;
  resume(): void;
  rest(limitMs: number): Promise<boolean>;
  account(): { readonly seen: readonly string[]; readonly expected: readonly string[] };
  takeCounted(): string[];
}
declare global {
  interface Window {
    soak: Soak;
  }
}

const { minutes, seed, plant } = parseCommandLine(
  `npm run soak -- [options]

Keeps Chromium pages under faults, against the demo cluster, and judges what grows and what is lost.
  --minutes  How long it takes. Default: 30. Less than 2 minutes cannot be judged.
  --seed     The seed of the faults. Default: 1.
  --plant    Keeps every closed socket in the pages, to see that a leak is noticed.
  --help     Prints this text.`,
  { minutes: text('30'), seed: text('1'), plant: flag },
  ({ minutes, seed, plant }) => ({
    minutes: number('minutes', minutes, 2),
    seed: whole('seed', seed, 0),
    plant,
  }),
);

const CALLS_EVERY_MS = 200;
/** As long as nothing should take while a node is healthy; a deadline that doubles, and a capped wait, are in it. */
const STUCK_MS = 60_000;
/**
 * V8 compiles what is run often or for the first time, and forgets what was not run for a while: for a quarter of an hour that is
 * more than 2 % of so small a heap. Compiled at once, and never better, code stays as large as it is.
 */
const V8_FLAGS = [
  '--no-lazy',
  '--no-lazy-feedback-allocation',
  '--no-flush-bytecode',
  '--no-sparkplug',
  '--no-maglev',
  '--no-opt',
];
/** As long as the longest fault of the kind, ms. */
const OFFLINE_ONCE_MS = 4_000;
const PAGES = [
  { name: 'plain', standby: 'off' },
  { name: 'warm', standby: 'warm' },
] as const;

interface Subject {
  readonly name: string;
  readonly page: Page;
  readonly cdp: CDPSession;
  readonly samples: Sample[];
  readonly counted: string[];
}

async function open(cluster: Cluster, browser: Awaited<ReturnType<typeof launch>>): Promise<Subject[]> {
  const [script, library] = await Promise.all([
    readFile(new URL('page.js', import.meta.url), 'utf8'),
    readFile(`${projectRoot}dist/failover-websocket.global.js`, 'utf8'),
  ]);
  const run = Date.now().toString(36);
  return Promise.all(
    PAGES.map(async ({ name, standby }) => {
      const { page } = await openPage(browser);
      await page.evaluateOnNewDocument(script);
      // Not the app's page: its policy would forbid what is put in here.
      await page.goto(`${cluster.url}/up`);
      await page.addScriptTag({ content: library });
      const cdp = await page.createCDPSession();
      await cdp.send('Performance.enable');
      await page.evaluate(
        (leaks, ...args) => {
          window.soak.plant = leaks;
          window.soak.start(...args);
        },
        plant,
        ...([`${run}-${name}`, { policy: 'fast', standby }, CALLS_EVERY_MS] as const),
      );
      return { name, page, cdp, samples: [], counted: [] };
    }),
  );
}

/** Lets the page come to rest and looks at what is alive. @returns false if it does not come to rest */
async function sample({ page, cdp, samples, counted }: Subject): Promise<boolean> {
  if (!(await page.evaluate((ms) => window.soak.rest(ms), STUCK_MS))) return false;
  await page.waitForFunction(() => window.soak.status() === 'online', { polling: 50, timeout: STUCK_MS });
  counted.push(...(await page.evaluate(() => window.soak.takeCounted())));
  // What the browser keeps for its own tools: a line for each dial that failed, an entry for each probe.
  await cdp.send('Runtime.discardConsoleEntries');
  await page.evaluate(() => performance.clearResourceTimings());
  // What the first collection finalises, the second one frees.
  for (let i = 0; i < 2; i++) await cdp.send('HeapProfiler.collectGarbage');
  const { usedSize } = await cdp.send('Runtime.getHeapUsage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const metric = (name: string) => metrics.find((one) => one.name === name)!.value;
  const alive = await page.evaluate(() => window.soak.alive());
  samples.push({ heap: usedSize, listeners: metric('JSEventListeners'), nodes: metric('Nodes'), ...alive });
  return true;
}

const show = (subject: string, { what, before, after, ok }: Verdict): string => {
  const growth = before ? `${(((after - before) / before) * 100).toFixed(1)} %` : '';
  return `${subject.padEnd(6)} ${what.padEnd(10)} ${String(before).padStart(10)} ${String(after).padStart(10)} ${growth.padStart(8)}  ${ok ? 'flat' : 'GROWS'}`;
};

/** @returns what is wrong with the todos and calls of a page */
async function wrong(cluster: Cluster, { name, page, counted }: Subject): Promise<string[]> {
  const { seen, expected } = await page.evaluate(() => window.soak.account());
  const { made, unconfirmed, errors } = await page.evaluate(() => ({ ...window.soak }));
  const server = (await serverTodos(cluster))
    .map(([id]) => id)
    .filter((id) => expected.includes(id) || seen.includes(id));
  const lost = expected.filter((id) => !seen.includes(id) || !server.includes(id));
  const tooMany = [...seen, ...server].filter((id) => !expected.includes(id));
  const counters = await serverCounters(cluster, counted);
  const doubled = Object.entries(counters).filter(([, n]) => n > 1);
  const never = Object.values(counters).filter((n) => n === 0).length;
  console.log(
    `${name}: ${made} calls, ${unconfirmed} unconfirmed (retry: false), ${lost.length} todos lost, ${tooMany.length} too many, ${doubled.length} calls ran twice that may not, ${errors.length} errors`,
  );
  return [
    ...lost.map((id) => `lost: ${id}`),
    ...tooMany.map((id) => `not removed: ${id}`),
    ...doubled.map(([id, n]) => `ran ${n} times: ${id}`),
    // What was not confirmed may not have run; everything else has.
    ...(never > unconfirmed ? [`${never} calls never ran, ${unconfirmed} were unconfirmed`] : []),
    ...errors,
  ].map((text) => `${name}: ${text}`);
}

async function main(): Promise<void> {
  await ensureDist();
  const cluster = await startCluster({ quiet: true });
  const browser = await launch('chromium', { flags: [`--js-flags=${V8_FLAGS.join(' ')}`] });
  try {
    const subjects = await open(cluster, browser);
    // The first time that the browser's tools make a page with a script offline, they keep about 100 KB for it, once (Chromium 156).
    for (const on of [true, false]) {
      await Promise.all(subjects.map(({ page }) => page.setOfflineMode(on)));
      await pause(OFFLINE_ONCE_MS);
    }
    const faults = new Faults(
      cluster,
      subjects.map(({ page }) => page),
      seed,
    );
    const problems: string[] = [];
    const end = performance.now() + minutes * 60_000;
    while (performance.now() < end && !problems.length) {
      const fault = await faults.next();
      for (const subject of subjects)
        if (!(await sample(subject)))
          problems.push(`${subject.name}: the page is still stuck ${STUCK_MS} ms after ${fault}.`);
      await Promise.all(subjects.map(({ page }) => page.evaluate(() => window.soak.resume())));
    }
    for (const { page } of subjects) await page.evaluate((ms) => window.soak.rest(ms), STUCK_MS);
    const happened = Object.entries(faults.counts).map(([kind, n]) => `${n} ${kind}`);
    console.log(
      `In ${minutes} min with seed ${seed} there were ${subjects[0]!.samples.length} faults: ${happened.join(', ')}.`,
    );
    console.log('page   what           before      after   growth');
    for (const subject of subjects) {
      for (const verdict of judge(subject.samples)) {
        console.log(show(subject.name, verdict));
        if (!verdict.ok) problems.push(`${subject.name}: ${verdict.what} grows`);
      }
      const { counted, page, samples, name } = subject;
      console.log(`${name}: heap in kB ${samples.map(({ heap }) => Math.round(heap / 1024)).join(' ')}`);
      counted.push(...(await page.evaluate(() => window.soak.takeCounted())));
      problems.push(...(await wrong(cluster, subject)));
    }
    for (const problem of problems.slice(0, 50)) console.log(problem);
    console.log(problems.length ? 'FAILED' : 'passed');
    process.exitCode = problems.length ? 1 : 0;
  } finally {
    await browser.close();
    await cluster.stop();
  }
}

await main();
