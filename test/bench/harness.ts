/** Pages in real browsers with a recorder and a client in them. While something is measured nobody asks them anything. */
import { readFile } from 'node:fs/promises';
import type { Browser, BrowserContext, Page } from 'puppeteer-core';
import type { Cluster, NodeId } from '../../demo/cluster.ts';
import { launch, openPage, type BrowserName } from '../support/browser/browsers.ts';
import { projectRoot } from '../../tools/run.ts';
import type { Call, Traffic } from './continuity.ts';
import type { ClientName } from './options.ts';
import type { Recording } from './outcome.ts';

/** `ours` without the app around it, a Meteor app, and a page that has the library but uses it for nothing. */
export type PageClient = ClientName | 'ddp' | 'meteor' | 'none';

export interface ClientStats {
  readonly suspicions: number;
  readonly hedgesCancelled: number;
  readonly failovers: number;
  readonly dials: number;
  readonly dialFailures: number;
  readonly pingsSent: number;
}

/** See page.js and page-clients.js. */
interface PageBench extends Recording {
  readonly downs: readonly { readonly at: number; readonly kind: string }[];
  readonly handovers: readonly { readonly at: number; readonly cause: string }[];
  readonly warnings: readonly string[];
  readonly traffic: Traffic;
  readonly stalls: number;
  readonly node?: string;
  readonly calls: readonly Call[];
  readonly added: Readonly<Record<string, number>>;
  readonly reappeared: number;
  readonly events: number;
  mute: boolean;
  start(client: PageClient, options: object): void;
  settled(standby: boolean): boolean;
  state(): { readonly name: string; readonly node?: string };
  stats(): ClientStats;
  reset(): void;
  rest(): void;
  touch(): void;
  moved(node: string, limitMs: number): Promise<void>;
  recording(): Recording;
  answered(limitMs: number): Promise<number | undefined>;
  rawAttemptMs(): Promise<number>;
  opens(limitMs: number): Promise<boolean>;
  change(everyMs: number, prefix: string): void;
  echo(everyMs: number): void;
  endCalls(limitMs: number): Promise<void>;
  countEvents(): void;
  documents(): readonly (readonly [id: string, text: string, done: boolean, createdAt: number])[];
  stallPings(stall: { seed: number; share: number; minMs: number; maxMs: number; path: boolean }): void;
}

declare global {
  interface Window {
    bench: PageBench;
  }
}

export interface BenchPage {
  readonly page: Page;
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly policy: string | object;
  readonly standby: 'off' | 'warm';
  readonly hedge?: boolean;
}

/** Longest wait for a page to be served, its round trip measured, its standby warm. */
const SETTLE_MS = 60_000;

const rwsFile = `${projectRoot}node_modules/reconnecting-websocket/dist/reconnecting-websocket-iife.min.js`;

interface Scripts {
  readonly bench: string;
  readonly ours: string;
  /** Another build of ours; '' where none is compared. */
  readonly other: string;
  readonly rws: string;
}

export class Harness {
  readonly #url: string;
  readonly #scripts: Scripts;
  #shared: Promise<Browser> | undefined;

  private constructor(
    readonly browser: BrowserName,
    readonly cluster: Cluster,
    scripts: Scripts,
  ) {
    this.#url = cluster.url;
    this.#scripts = scripts;
  }

  /** @param other the script-tag file of another build, for the clients `other-…` */
  static async start(browser: BrowserName, cluster: Cluster, other?: string): Promise<Harness> {
    const beside = (name: string): Promise<string> => readFile(new URL(name, import.meta.url), 'utf8');
    const [recorder, clients, ours, rws, otherBuild] = await Promise.all([
      beside('page.js'),
      beside('page-clients.js'),
      readFile(`${projectRoot}dist/failover-websocket.global.js`, 'utf8'),
      readFile(rwsFile, 'utf8'),
      other === undefined ? '' : readFile(other, 'utf8'),
    ]);
    return new Harness(browser, cluster, {
      bench: recorder + clients,
      ours,
      other: otherBuild,
      rws,
    });
  }

  /** The recorder and the clients: runs in a page before anything else. */
  get prelude(): string {
    return this.#scripts.bench;
  }

  async close(): Promise<void> {
    await (await this.#shared)?.close();
  }

  /** A page in a context of its own; Firefox: in a browser of its own, since it queues handshakes browser-wide. */
  open(client: PageClient, options: ClientOptions): Promise<BenchPage> {
    return this.openWith((page) => this.load(page, client, options));
  }

  /** The same with a client of one's own. */
  async openWith(load: (page: Page) => Promise<void>): Promise<BenchPage> {
    const own = this.browser === 'firefox' ? await launch(this.browser) : undefined;
    const browser = own ?? (await (this.#shared ??= launch(this.browser)));
    const { page, context } = await openPage(browser);
    const close = (): Promise<void> => (own ?? context).close();
    try {
      await load(page);
      return { page, close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** One profile, in which `newPage` opens windows. */
  async profile(): Promise<{ context: BrowserContext; close(): Promise<void> }> {
    const browser = await launch(this.browser);
    return { context: await browser.createBrowserContext(), close: () => browser.close() };
  }

  /** Puts the client into a page and waits until it is settled. */
  async load(page: Page, client: PageClient, options: ClientOptions): Promise<void> {
    await page.evaluateOnNewDocument(this.#scripts.bench);
    const isOther = client.startsWith('other-');
    const kind = client.replace('other-', '');
    if (isOther) await serveLibrary(page, this.#scripts.other);
    if (kind === 'ours') {
      const { policy, standby } = options;
      await page.goto(`${this.#url}/?policy=${String(policy)}&standby=${standby}`);
      await page.waitForFunction(
        () =>
          window.app?.ddp.status.node !== undefined ||
          document.querySelector<HTMLElement>('#badge')?.dataset['state'] === 'failed',
      );
      const refused = await page.evaluate(() =>
        window.app === undefined ? document.querySelector('#empty')?.textContent : undefined,
      );
      if (refused !== undefined) throw new Error(`The todo app refuses to start and says: ${refused}`);
    } else {
      // Not the app's page: its policy would forbid what is put in here.
      await page.goto(`${this.#url}/up`);
      const { rws, ours, other } = this.#scripts;
      if (!kind.startsWith('bare'))
        await page.addScriptTag({ content: kind === 'rws' ? rws : isOther ? other : ours });
    }
    await page.evaluate((...args) => window.bench.start(...args), kind as PageClient, options);
    await settle(page, options.standby === 'warm');
  }
}

/** @throws TimeoutError that says what the page was waiting for */
export async function settle(page: Page, standby = false, timeout = SETTLE_MS): Promise<void> {
  try {
    await page.waitForFunction((warm) => window.bench.settled(warm), { polling: 100, timeout }, standby);
  } catch (error) {
    if (!isTimeout(error)) throw error;
    const state = await page.evaluate(() => JSON.stringify(window.bench.state()));
    (error as Error).message =
      `The page has not settled${standby ? ' with a warm standby' : ''} within ${timeout} ms. Its state is ${state}.`;
    throw error;
  }
}

export const nodeOf = (page: Page): Promise<string | undefined> =>
  page.evaluate(() => window.bench.state().node);

/** The node that serves most of them. */
export function busiest(nodes: readonly (string | undefined)[]): NodeId {
  const ofA = nodes.filter((node) => node === 'a').length;
  return ofA * 2 >= nodes.length ? 'a' : 'b';
}

/** Tells the pages that a person is here, and begins a new recording. */
export async function begin(pages: readonly Page[]): Promise<void> {
  await Promise.all(
    pages.map((page) =>
      page.evaluate(() => {
        window.bench.touch();
        window.bench.reset();
      }),
    ),
  );
}

/** Waits until both nodes run and the balancer sends to them. */
export async function healthy(cluster: Cluster, limitMs = 60_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const { nodes } = await cluster.state();
    if (
      nodes.every(({ app, network, health }) => app === 'running' && network === 'ok' && health === 'healthy')
    )
      return;
    if (Date.now() > deadline)
      throw new Error(`After ${limitMs} ms the nodes have not recovered: ${JSON.stringify(nodes)}`);
    await pause(50);
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const isTimeout = (error: unknown): boolean => error instanceof Error && error.name === 'TimeoutError';

/** Gives the page this text wherever it asks for the library, and everything else from the cluster. */
async function serveLibrary(page: Page, library: string): Promise<void> {
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const isLibrary = new URL(request.url()).pathname === '/failover-websocket.global.js';
    void (isLibrary
      ? request.respond({ contentType: 'text/javascript', body: library })
      : request.continue());
  });
}
