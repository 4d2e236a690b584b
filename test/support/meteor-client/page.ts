/** A page with a real Meteor client and an app on it. */
import { readFile } from 'node:fs/promises';
import type { Browser, BrowserContext, Page } from 'puppeteer-core';
import { openPage } from '../browser/browsers.ts';
import { projectRoot } from '../../../tools/run.ts';
import { findMeteorClient } from './fixture.ts';

/** `sockjs` is Meteor's default, `raw` what `DISABLE_SOCKJS` makes of it. */
export type Transport = 'sockjs' | 'raw';
export const transports: readonly Transport[] = ['sockjs', 'raw'];

/** `early`: with the script that makes `Meteor.connection`, so before it can be connected. `never`: nor is the library in the page. */
export type Install = 'never' | 'early' | 'later';

export interface MeteorStatus {
  readonly at: number;
  readonly status: 'connected' | 'connecting' | 'waiting' | 'offline' | 'failed';
  readonly connected: boolean;
  readonly retryCount: number;
  readonly retryTime?: number;
  readonly reason?: string;
}

interface Connection {
  readonly _stream: { readonly rawUrl: string };
}

/** Of `Meteor`, what tests touch. */
interface Meteor {
  readonly connection: Connection;
  status(): Omit<MeteorStatus, 'at'>;
  reconnect(options?: object): void;
  disconnect(): void;
  call(method: string, ...rest: unknown[]): void;
}

/** See page-app.js. */
export interface MeteorApp {
  readonly Meteor: Meteor;
  readonly DDP: { connect(url: string, options?: object): Connection & Meteor };
  readonly statuses: MeteorStatus[];
  readonly events: { readonly at: number; readonly event: string; readonly id: string }[];
  readonly runs: Record<'texts' | 'ready' | 'userId' | 'username', unknown[]>;
  readonly nodes: { readonly at: number; readonly name: string }[];
  readonly settled: { readonly method: string; readonly error?: string; readonly result?: unknown }[];
  readonly logins: { readonly at: number; readonly type?: string }[];
  onNode(name: string): void;
  subscribe(): void;
  node(): string | undefined;
  call(method: string, ...params: unknown[]): Promise<unknown>;
  login(username: string, password?: string): Promise<void>;
  logout(): Promise<void>;
  stub(method: string, body: (...params: never[]) => unknown): void;
  readonly Todos: { insert(todo: object): string; find(): { count(): number } };
}

interface Library {
  installFailover(connection: unknown, options?: object): () => void;
}

declare global {
  interface Window {
    meteorApp: MeteorApp;
    uninstall: (() => void) | undefined;
    /** See `connectTo`. */
    second: Meteor | undefined;
    __meteor_runtime_config__: object;
  }
}

export interface MeteorPageOptions {
  readonly transport: Transport;
  readonly install: Install;
  /** Of `installFailover`. */
  readonly options?: object;
  /** Runs in the page before anything else. */
  readonly prelude?: string;
}

/** Puts Meteor's client and the app into a page, and lets the app subscribe. */
export async function loadMeteor(page: Page, url: string, options: MeteorPageOptions): Promise<void> {
  const { transport, install, options: failover = {}, prelude } = options;
  const client = await findMeteorClient();
  if (client === undefined) throw new Error('no Meteor client: npm run setup');
  if (prelude !== undefined) await page.evaluateOnNewDocument(prelude);
  // Not the todo app's page: its policy would forbid what is put in here.
  await page.goto(`${url}/up`);
  const config = {
    ROOT_URL: `${url}/`,
    meteorRelease: `METEOR@${client.version}`,
    meteorEnv: { NODE_ENV: 'production' },
    ...(transport === 'raw' && { DISABLE_SOCKJS: true }),
  };
  await page.evaluate((value) => void (window.__meteor_runtime_config__ = value), config);
  if (install !== 'never')
    await page.addScriptTag({ path: `${projectRoot}dist/failover-websocket.global.js` });
  const early = `\n;window.uninstall = failover.installFailover(Package.meteor.Meteor.connection, ${JSON.stringify(failover)});`;
  const app = await readFile(new URL('page-app.js', import.meta.url), 'utf8');
  // One script, as a bundle is: nothing can happen before the app listens.
  await page.addScriptTag({ content: `${client.script}${install === 'early' ? early : ''}\n;${app}` });
  await page.evaluate(() => window.meteorApp.subscribe());
}

export class MeteorPage {
  /** Uncaught exceptions. */
  readonly problems: string[] = [];

  /** What the page has asked for over HTTP, without its query. */
  readonly requests: string[] = [];

  private constructor(
    readonly page: Page,
    readonly context: BrowserContext,
  ) {
    page.on('pageerror', (error) => this.problems.push(String(error)));
    page.on('request', (request) => this.requests.push(new URL(request.url()).pathname));
  }

  /** Resolves when the app's subscriptions are ready. */
  static async open(browser: Browser, url: string, options: MeteorPageOptions): Promise<MeteorPage> {
    const { page, context } = await openPage(browser);
    const opened = new MeteorPage(page, context);
    try {
      await loadMeteor(page, url, options);
      await opened.until((app) => app.node() !== undefined && app.runs.ready.at(-1) === true);
    } catch (error) {
      await context.close();
      throw error;
    }
    return opened;
  }

  /** What the app says; functions run in the page. */
  get<T>(read: (app: MeteorApp, ...args: unknown[]) => T, ...args: unknown[]): Promise<Awaited<T>> {
    return this.page.evaluate(`(${String(read)})(window.meteorApp, ...${JSON.stringify(args)})`) as Promise<
      Awaited<T>
    >;
  }

  async until(holds: (app: MeteorApp, ...args: unknown[]) => boolean, ...args: unknown[]): Promise<void> {
    await this.page.waitForFunction(`(${String(holds)})(window.meteorApp, ...${JSON.stringify(args)})`, {
      polling: 20,
    });
  }

  /** Installs the library on `Meteor.connection`, in a page that has it. */
  async install(options: object = {}): Promise<void> {
    await this.page.evaluate((value) => {
      const { failover, meteorApp } = window as unknown as { failover: Library; meteorApp: MeteorApp };
      window.uninstall = failover.installFailover(meteorApp.Meteor.connection, value);
    }, options);
  }

  /** A second connection of the app, with the library installed. */
  async connectTo(url: string): Promise<void> {
    await this.page.evaluate((to) => {
      const { failover, meteorApp } = window as unknown as { failover: Library; meteorApp: MeteorApp };
      const second = (window.second = meteorApp.DDP.connect(to));
      failover.installFailover(second, { policy: 'fast' });
    }, url);
  }

  node(): Promise<'a' | 'b'> {
    return this.get((app) => app.node()) as Promise<'a' | 'b'>;
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}
