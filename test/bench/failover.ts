/**
 * How long until a page is served by the surviving node, in a real browser against the demo cluster. Rounds of a few pages, each
 * in a browser context of its own (Firefox: in a browser of its own, since it queues handshakes browser-wide); the node that
 * serves most of them gets the fault, and those pages are the victims.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'puppeteer-core';
import { startCluster, type Cluster } from '../../demo/cluster.ts';
import { launch, openPage } from '../browser/browsers.ts';
import { ensureDist } from '../tools/dist.ts';
import { projectRoot } from '../tools/run.ts';
import { outcomeOf, quantile, type Outcome, type Recording } from './outcome.ts';

const help = `npm run bench -- [options]
  --browser chromium|firefox              default chromium
  --client ours,plain,rws,bare            one or several, default ours. ours: the todo app's DDPClient; plain: FailoverWebSocket;
                                          rws: reconnecting-websocket with its defaults; bare: a new WebSocket at once
  --fault stop,kill,hang,blackhole        one or several, default stop
  --victims N                             per client and fault, default 60
  --pages N                               per round, default 6 (firefox 3)
  --rtt MS                                default 40
  --policy fast|balanced|frugal           of ours and plain, default fast
  --limit MS                              not served by then counts as stuck, default 45000
  --json FILE                             every victim, for later questions`;

const clientNames = ['ours', 'plain', 'rws', 'bare'] as const;
const faultNames = ['stop', 'kill', 'hang', 'blackhole'] as const;
const browsers = ['chromium', 'firefox'] as const;
const policies = ['fast', 'balanced', 'frugal'] as const;
type ClientName = (typeof clientNames)[number];
type FaultName = (typeof faultNames)[number];

class UsageError extends Error {}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined) throw new UsageError(`--${flag}: expected ${allowed.join(', ')}, got "${value}"`);
  return found;
}

function number(flag: string, value: string, min: number): number {
  const n = Number(value);
  if (!Number.isFinite(n) || n < min)
    throw new UsageError(`--${flag}: expected a number from ${min}, got "${value}"`);
  return n;
}

function options() {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: {
      browser: text('chromium'),
      client: text('ours'),
      fault: text('stop'),
      victims: text('60'),
      pages: { type: 'string' },
      rtt: text('40'),
      policy: text('fast'),
      limit: text('45000'),
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const browser = oneOf('browser', values.browser, browsers);
  return {
    browser,
    clients: values.client.split(',').map((name) => oneOf('client', name, clientNames)),
    faults: values.fault.split(',').map((name) => oneOf('fault', name, faultNames)),
    victims: number('victims', values.victims, 1),
    pages: number('pages', values.pages ?? (browser === 'firefox' ? '3' : '6'), 1),
    rttMs: number('rtt', values.rtt, 0),
    policy: oneOf('policy', values.policy, policies),
    limitMs: number('limit', values.limit, 1),
    json: values.json,
    help: values.help,
  };
}
type Options = ReturnType<typeof options>;

interface BenchPage {
  readonly page: Page;
  close(): Promise<void>;
}

declare global {
  interface Window {
    bench: Recording & { start(client: string, policy: string): void; settled(): boolean };
  }
}

class Bench {
  readonly #options: Options;
  readonly #cluster: Cluster;
  readonly #recorder: string;
  readonly #libraries: Partial<Record<ClientName, string>>;
  #shared: Promise<Browser> | undefined;

  constructor(
    o: Options,
    cluster: Cluster,
    recorder: string,
    libraries: Partial<Record<ClientName, string>>,
  ) {
    this.#options = o;
    this.#cluster = cluster;
    this.#recorder = recorder;
    this.#libraries = libraries;
  }

  /** Rounds until there are enough victims. */
  async measure(client: ClientName, fault: FaultName): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    while (outcomes.length < this.#options.victims) {
      outcomes.push(...(await this.#round(client, fault)));
      process.stderr.write(`\r${client}, ${fault}: ${outcomes.length} of ${this.#options.victims} victims `);
    }
    process.stderr.write('\n');
    return outcomes;
  }

  async close(): Promise<void> {
    await (await this.#shared)?.close();
  }

  async #round(client: ClientName, fault: FaultName): Promise<Outcome[]> {
    const pages: BenchPage[] = [];
    try {
      // One after the other: the start of a page is the heaviest part, and no part of the measurement.
      for (let i = 0; i < this.#options.pages; i++) pages.push(await this.#open(client));
      const nodes = await Promise.all(
        pages.map(({ page }) => page.evaluate(() => window.bench.served.at(-1)!.node)),
      );
      const ofA = nodes.filter((node) => node === 'a').length;
      const failing = ofA * 2 >= nodes.length ? 'a' : 'b';
      const victims = pages.filter((_, i) => nodes[i] === failing);
      const { at } = await this.#cluster.apply(failing, fault);
      const outcomes = await Promise.all(victims.map(({ page }) => this.#watch(page, at, failing)));
      await this.#cluster.apply(failing, 'restart');
      return outcomes;
    } finally {
      await Promise.all(pages.map((page) => page.close()));
    }
  }

  async #watch(page: Page, at: number, failing: string): Promise<Outcome> {
    const timeout = Math.max(1, at + this.#options.limitMs - Date.now());
    await page
      .waitForFunction(
        (since, node) => window.bench.served.some((entry) => entry.at > since && entry.node !== node),
        // Not at every frame: the page has better things to do.
        { timeout, polling: 100 },
        at,
        failing,
      )
      .catch((error: Error) => {
        if (error.name !== 'TimeoutError') throw error;
      });
    const recording = await page.evaluate(() => ({
      dials: window.bench.dials,
      served: window.bench.served,
      noticed: window.bench.noticed,
      lags: window.bench.lags,
    }));
    return outcomeOf(recording, at, failing);
  }

  /** A page with the client in it, served, and with a round trip measured where the client measures it. */
  async #open(client: ClientName): Promise<BenchPage> {
    const { browser: name, policy } = this.#options;
    const own = name === 'firefox' ? await launch(name) : undefined;
    const browser = own ?? (await (this.#shared ??= launch(name)));
    const { page, context } = await openPage(browser);
    const close = (): Promise<void> => (own ?? context).close();
    try {
      await page.evaluateOnNewDocument(this.#recorder);
      if (client === 'ours') {
        await page.goto(`${this.#cluster.url}/?policy=${policy}`);
        await page.waitForFunction(() => window.app?.ddp.status.node !== undefined);
      } else {
        await page.goto(`${this.#cluster.url}/up`);
        const library = this.#libraries[client];
        if (library !== undefined) await page.addScriptTag({ content: library });
      }
      await page.evaluate((...args) => window.bench.start(...args), client, policy);
      await page.waitForFunction(() => window.bench.served.length > 0 && window.bench.settled(), {
        polling: 100,
      });
      return { page, close };
    } catch (error) {
      await close();
      throw error;
    }
  }
}

function row(client: ClientName, fault: FaultName, outcomes: readonly Outcome[]) {
  const of = (key: 'servedMs' | 'noticedMs' | 'overheadMs' | 'lagMs', q: number): number | undefined => {
    const value = quantile(
      outcomes.flatMap((outcome) => outcome[key] ?? []),
      q,
    );
    return value === undefined ? undefined : Math.round(value);
  };
  const attempts = (wanted: string): number[] =>
    outcomes.flatMap(({ attempts }) =>
      attempts.filter(({ outcome }) => outcome === wanted).map(({ ms }) => ms),
    );
  const served = outcomes.filter(({ servedMs }) => servedMs !== undefined);
  return {
    fault,
    client,
    n: outcomes.length,
    stuck: outcomes.length - served.length,
    p50: of('servedMs', 0.5),
    p95: of('servedMs', 0.95),
    p99: of('servedMs', 0.99),
    max: of('servedMs', 1),
    'overhead p50': of('overheadMs', 0.5),
    'overhead p95': of('overheadMs', 0.95),
    'noticed p50': of('noticedMs', 0.5),
    'noticed p95': of('noticedMs', 0.95),
    'attempts p95': quantile(
      served.map((outcome) => outcome.attempts.length),
      0.95,
    ),
    'failed attempt p50': Math.round(quantile(attempts('failed'), 0.5) ?? NaN),
    'winning attempt p50': Math.round(quantile(attempts('served'), 0.5) ?? NaN),
    'page lag p95': of('lagMs', 0.95),
  };
}

function markdown(rows: readonly object[]): string {
  const names = Object.keys(rows[0] ?? {});
  const line = (cells: readonly unknown[]): string => `| ${cells.join(' | ')} |`;
  const cell = (value: unknown): unknown => (value === undefined || Number.isNaN(value) ? '–' : value);
  return [
    line(names),
    line(names.map(() => '---')),
    ...rows.map((r) => line(Object.values(r).map(cell))),
  ].join('\n');
}

const rwsFile = `${projectRoot}node_modules/reconnecting-websocket/dist/reconnecting-websocket-iife.min.js`;

async function main(): Promise<void> {
  const o = options();
  if (o.help) return console.log(help);
  await ensureDist();
  const [recorder, ours, rws] = await Promise.all([
    readFile(new URL('page.js', import.meta.url), 'utf8'),
    readFile(`${projectRoot}dist/failover-websocket.global.js`, 'utf8'),
    readFile(rwsFile, 'utf8'),
  ]);
  const cluster = await startCluster({ rttMs: o.rttMs });
  const bench = new Bench(o, cluster, recorder, { plain: ours, rws });
  const rows: ReturnType<typeof row>[] = [];
  const victims: Record<string, Outcome[]> = {};
  try {
    for (const fault of o.faults) {
      for (const client of o.clients) {
        const outcomes = await bench.measure(client, fault);
        victims[`${fault} ${client}`] = outcomes;
        rows.push(row(client, fault, outcomes));
      }
    }
  } finally {
    await bench.close();
    await cluster.stop();
  }
  const { browser, rttMs, policy, limitMs, pages } = o;
  console.log(
    `${browser}, RTT ${rttMs} ms, policy ${policy}, ${pages} pages a round, stuck after ${limitMs} ms\n`,
  );
  console.log(markdown(rows));
  if (o.json !== undefined) {
    const machine = { node: process.version, cpus: cpus().length, load: loadavg() };
    const document = {
      at: new Date().toISOString(),
      browser,
      rttMs,
      policy,
      limitMs,
      pages,
      machine,
      rows,
      victims,
    };
    await writeFile(o.json, JSON.stringify(document, null, 1));
  }
}

main().catch((error: unknown) => {
  const usage =
    error instanceof UsageError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
  console.error(usage ? (error as Error).message : error);
  process.exitCode = usage ? 2 : 1;
});
