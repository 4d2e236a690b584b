/** `npm run demo -- --smoke`: one failover in a real browser. */
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import type { FailoverReport } from '../src/core/api/report.ts';
import { advice, ensure, find } from '../tools/setup.ts';
import type { Cluster, NodeId } from './cluster.ts';

/** Limit for the whole run, in ms. A failover takes about a second; the rest is for slow machines. */
const limitMs = 30_000;

const chromiumFlags = [
  '--no-sandbox', // Chromium has no sandbox for root
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const firstTodo = 'added before the fault';
const secondTodo = 'added while down';

/** What the todo app shows of itself (demo/app/app.js). */
interface TodoWindow {
  app: {
    ddp: {
      status: { name: string; node?: string };
      on(event: 'down', listener: () => void): void;
    };
    loadedAt: number;
    reports: FailoverReport[];
  };
  /** Unix time (ms) at which the second todo was added. */
  addedAt?: number;
}

interface Result {
  ok: boolean;
  from?: string | undefined;
  to?: string | undefined;
  cause?: string;
  detectedAfterMs?: number;
  attempts?: number;
  downMs?: number;
  upAfterMs?: number;
  replayMs?: number;
  /** From the fault to everything replayed on the other node. */
  servedMs?: number;
  todos?: string[];
  reloaded?: boolean;
  error?: string;
}

/**
 * Opens the todo app, adds a todo, stops the app of the node that serves the page, adds another while it is down, and waits
 * until the other node serves the page. Prints one JSON line.
 *
 * @returns the exit code: 0 if the page was served by the other node, without a reload, with both todos exactly once
 */
export async function smoke(cluster: Cluster): Promise<number> {
  const result = await runWithLimit(cluster);
  console.log(JSON.stringify(result));
  return result.ok ? 0 : 1;
}

async function runWithLimit(cluster: Cluster): Promise<Result> {
  const missing = await ensure(['chromium']);
  const executablePath = await find('chromium');
  if (executablePath === undefined) return { ok: false, error: advice(missing).join('; ') };
  let browser: Browser | undefined;
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`The failover did not complete within ${limitMs / 1000} s.`)),
      limitMs,
    );
  });
  try {
    browser = await puppeteer.launch({
      executablePath,
      headless: true,
      args: chromiumFlags,
      timeout: limitMs,
    });
    const page = await browser.newPage();
    page.setDefaultTimeout(limitMs);
    return await Promise.race([watchFailover(cluster, page), limit]);
  } catch (error) {
    return { ok: false, error: [(error as Error).message, await pageText(browser)].join(' ') };
  } finally {
    clearTimeout(timer);
    await browser?.close();
  }
}

async function watchFailover(cluster: Cluster, page: Page): Promise<Result> {
  await page.goto(cluster.url);
  await page.type('[data-testid=new-todo]', firstTodo);
  await page.keyboard.press('Enter');
  await untilConfirmed(page, [firstTodo]);

  // The page adds it itself as soon as it is down: a command from here could come after a fast failover.
  await page.evaluate((text) => {
    const { app } = window as never as TodoWindow;
    app.ddp.on('down', () => {
      if ((window as never as TodoWindow).addedAt !== undefined) return;
      (window as never as TodoWindow).addedAt = performance.timeOrigin + performance.now();
      const input = document.querySelector<HTMLInputElement>('[data-testid=new-todo]')!;
      input.value = text;
      input.form!.requestSubmit();
    });
  }, secondTodo);
  await page.waitForFunction(() => (window as never as TodoWindow).app.ddp.status.node !== undefined);
  const before = await readPage(page);
  const from = before.node as NodeId;
  const { at } = await cluster.apply(from, 'stop');

  await page.waitForFunction(
    (old, known) => {
      const { app } = window as never as TodoWindow;
      return app.ddp.status.name === 'online' && app.ddp.status.node !== old && app.reports.length > known;
    },
    {},
    from,
    before.reports.length,
  );
  await untilConfirmed(page, [firstTodo, secondTodo]);

  const after = await readPage(page);
  const report = after.reports[before.reports.length]!;
  const reloaded = after.loadedAt !== before.loadedAt;
  const exact = JSON.stringify(after.todos) === JSON.stringify([firstTodo, secondTodo]);
  const up = report.startedAt + report.upAfterMs;
  const addedWhileDown = after.addedAt !== undefined && after.addedAt < up;
  return {
    ok: exact && addedWhileDown && !reloaded && after.node !== undefined && after.node !== from,
    from,
    to: after.node,
    cause: report.cause,
    detectedAfterMs: round(report.detectedAfterMs),
    attempts: report.attempts.length,
    downMs: round(report.downMs),
    upAfterMs: round(report.upAfterMs),
    replayMs: round(report.replayMs),
    servedMs: round(up + report.replayMs - at),
    todos: after.todos,
    reloaded,
  };
}

/** Waits until the page shows each of these todos as saved. */
async function untilConfirmed(page: Page, texts: readonly string[]): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      const items = [...document.querySelectorAll<HTMLElement>('[data-testid=todo]')];
      return wanted.every((text) =>
        items.some((item) => item.textContent === text && item.dataset.pending === 'false'),
      );
    },
    {},
    texts,
  );
}

/** What a person would see: the best hint when something went wrong. */
async function pageText(browser: Browser | undefined): Promise<string> {
  try {
    const page = (await browser?.pages())?.at(-1);
    const text = (await page?.evaluate(() => document.body.innerText)) ?? 'nothing';
    return `The page shows: ${text.replaceAll(/\s+/g, ' ').slice(0, 300)}`;
  } catch (error) {
    return `The page shows nothing: ${(error as Error).message}`;
  }
}

const readPage = (page: Page) =>
  page.evaluate(() => {
    const { app, addedAt } = window as never as TodoWindow;
    return {
      node: app.ddp.status.node,
      loadedAt: app.loadedAt,
      reports: app.reports,
      addedAt,
      todos: [...document.querySelectorAll('[data-testid=todo]')].map((item) => item.textContent ?? ''),
    };
  });

const round = (ms: number): number => Math.round(ms * 10) / 10;
