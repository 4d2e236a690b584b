/** The todo app in a browser, for the tests. */
import type { Browser, BrowserContext, ConsoleMessage, HTTPRequest, Page } from 'puppeteer-core';
import type { FailoverReport } from '../../../src/core/api/report.ts';
import { openPage } from './browsers.ts';

/** What the todo app exposes as `window.app` (demo/app/app.js). */
export interface TodoApp {
  readonly ddp: {
    readonly status: { readonly name: string; readonly node?: string };
    readonly link: { stats(): { readonly rttMs: number | undefined } };
    on(event: string, listener: (detail: never) => void): void;
    close(): void;
  };
  readonly loadedAt: number;
  readonly statuses: readonly { readonly at: number; readonly name: string; readonly node?: string }[];
  readonly reports: readonly FailoverReport[];
  readonly seen: readonly { readonly event: string; readonly id: string; readonly text: string }[];
}

declare global {
  interface Window {
    app: TodoApp;
    marker?: string;
    violations: string[];
  }
}

/** Console errors about failed sockets and requests. They are expected while a node is down. */
const networkNoise = [
  /WebSocket connection to .* failed/,
  /can.t establish a connection to the server at ws:/,
  /The connection to ws:.* was interrupted/,
  /Failed to load resource/,
];

export class TodoPage {
  /** Uncaught exceptions, and errors on the console other than network noise. */
  readonly problems: string[] = [];
  documents = 0;

  private constructor(
    readonly page: Page,
    readonly context: BrowserContext,
  ) {
    const problem = (text: string): void => {
      if (!networkNoise.some((noise) => noise.test(text))) this.problems.push(text);
    };
    page.on('console', (message: ConsoleMessage) => {
      if (message.type() === 'error') problem(message.text());
    });
    // Firefox reports a failed connection to the driver as an exception, although no script can catch it.
    page.on('pageerror', (error) => problem(String(error)));
    page.on('request', (request: HTTPRequest) => {
      if (request.isNavigationRequest()) this.documents++;
    });
  }

  /** Opens the todo app and waits until it is served. */
  static async open(browser: Browser, url: string): Promise<TodoPage> {
    const { page, context } = await openPage(browser);
    const todo = new TodoPage(page, context);
    await page.evaluateOnNewDocument(() => {
      window.violations = [];
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        window.violations.push(`${violatedDirective} ${blockedURI}`),
      );
    });
    await page.goto(url);
    await page.waitForFunction(() => window.app?.ddp.status.node !== undefined);
    return todo;
  }

  node(): Promise<string> {
    return this.page.evaluate(() => window.app.ddp.status.node!);
  }

  async add(text: string): Promise<void> {
    await this.page.type('[data-testid=new-todo]', text);
    await this.page.keyboard.press('Enter');
  }

  /** Waits until a todo with this text is shown as saved. */
  async shows(text: string): Promise<void> {
    await this.page.waitForFunction(
      (wanted) =>
        [...document.querySelectorAll<HTMLElement>('[data-testid=todo]')].some(
          (item) => item.textContent?.includes(wanted) && item.dataset.pending === 'false',
        ),
      // Not the default, once per frame: a hidden page has no frames.
      { polling: 'mutation' },
      text,
    );
  }

  texts(): Promise<string[]> {
    return this.page.$$eval('[data-testid=todo] .text', (items) =>
      items.map((item) => item.textContent ?? ''),
    );
  }

  /** Waits until the page is online on this node. */
  async servedBy(node: string): Promise<void> {
    await this.page.waitForFunction(
      (wanted) => window.app.ddp.status.name === 'online' && window.app.ddp.status.node === wanted,
      {},
      node,
    );
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}
