/** What befalls a page while it is served: left and come back to, frozen, hidden, offline. */
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, type Cluster, type NodeId } from '../../demo/cluster.ts';
import { ensureDist } from '../../tools/dist.ts';
import { find } from '../../tools/setup.ts';
import { browserNames, launch, networkHost } from '../support/browser/browsers.ts';
import { Tap, type Line } from '../support/browser/tap.ts';
import { TodoPage } from '../support/browser/todo-page.ts';

declare global {
  interface Window {
    /** Page events, in order. */
    life: string[];
    /** How often a timer of the page's own has fired. */
    ticks: number;
  }
}

/** Chromium wakes hidden pages once a minute when they have been so for 5 minutes; here at once. */
const soon = '--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1';
/** A hidden page whose timers fire once a minute would not get there. */
const withinTheMinute = { timeout: 40_000, interval: 100 };
const promptly = { timeout: 10_000, interval: 20 };

const other = (node: string): NodeId => (node === 'a' ? 'b' : 'a');

for (const name of browserNames) {
  const missing = (await find(name)) === undefined;
  describe.skipIf(missing)(`${name}${missing ? ' (missing)' : ''}: a page's life`, () => {
    let cluster: Cluster;
    let browser: Browser;
    let tap: Tap;
    let windows: TodoPage[] = [];

    beforeAll(async () => {
      await ensureDist();
      cluster = await startCluster({ rttMs: 40 });
      tap = await Tap.open(cluster.url);
      const secure = `--unsafely-treat-insecure-origin-as-secure=${tap.url(networkHost)}`;
      browser = await launch(name, { flags: [soon, secure], throttled: true });
    });
    afterAll(async () => {
      await browser?.close();
      await tap?.close();
      await cluster?.stop();
    });
    afterEach(async () => {
      await Promise.all(windows.map((window) => window.close()));
      windows = [];
      tap.reset();
      await cluster.setHealth('gateway');
      await cluster.reset();
    });

    /** The todo app behind the tap, and its line. */
    async function open(host?: string): Promise<[TodoPage, Line]> {
      const before = new Set(tap.lines);
      const todo = await TodoPage.open(browser, tap.url(host));
      windows.push(todo);
      await todo.page.evaluate(() => {
        window.marker = 'the same page';
        window.life = [];
        window.ticks = 0;
        for (const type of ['pageshow', 'pagehide', 'freeze', 'resume', 'online', 'offline'])
          addEventListener(
            type,
            (event) =>
              window.life.push(type + ('persisted' in event ? ` persisted ${String(event.persisted)}` : '')),
            true,
          );
      });
      const line = tap.lines.find((each) => !before.has(each))!;
      return [todo, line];
    }

    const status = (page: Page) => page.evaluate(() => window.app.ddp.status);
    const servedBy = (page: Page, node: string, how = promptly) =>
      expect.poll(() => status(page), how).toMatchObject({ name: 'online', node });

    async function sameDocument({ page, problems }: TodoPage, seen: string[]): Promise<void> {
      expect(await page.evaluate(() => window.marker)).toBe('the same page');
      const events = await page.evaluate(() => window.app.seen.map(({ event, text }) => `${event} ${text}`));
      expect(events, 'nothing flickered').toEqual(seen);
      expect(problems).toEqual([]);
    }

    it('left for good: no ghost on the server', async () => {
      const [mine, line] = await open();
      await mine.page.goto('about:blank');
      await expect.poll(() => line.closedWith, promptly).toBeOneOf([1000, 1001]);
    });

    // Firefox keeps no page for going back while it is automated.
    it.runIf(name === 'chromium').each(['the same nodes', 'its node stopped'] as const)(
      'left, and back from the back/forward cache: %s',
      async (meanwhile) => {
        const [mine, line] = await open();
        await mine.add('before');
        await mine.shows('before');

        await mine.page.goto(`${tap.url()}/up`);
        await expect
          .poll(() => line.closedWith, { ...promptly, message: 'a clean end when it is left' })
          .toBe(1000);
        expect(tap.live, 'no ghost').toEqual([]);
        const [colleague] = await open();
        await colleague.add('meanwhile');
        await colleague.shows('meanwhile');
        if (meanwhile === 'its node stopped') await cluster.apply(line.node as NodeId, 'stop');

        const asked = tap.documents.length;
        await mine.page.goBack();
        await mine.shows('meanwhile');
        expect(await mine.page.evaluate(() => window.life)).toEqual([
          'pagehide persisted true',
          'freeze',
          'resume',
          'pageshow persisted true',
        ]);
        expect(tap.documents.slice(asked), 'pages loaded').toEqual([]);
        expect(await mine.texts()).toEqual(['before', 'meanwhile']);
        await sameDocument(mine, ['added before', 'added meanwhile']);
        await expect
          .poll(() => tap.live.length, { ...promptly, message: 'one line for each window' })
          .toBe(2);
      },
    );

    describe.runIf(name === 'chromium')('frozen', () => {
      async function freeze({ page }: TodoPage): Promise<() => Promise<void>> {
        const session = await page.createCDPSession();
        await session.send('Page.setWebLifecycleState', { state: 'frozen' });
        return async () => {
          await session.send('Page.setWebLifecycleState', { state: 'active' });
          await expect.poll(() => page.evaluate(() => window.life), promptly).toEqual(['freeze', 'resume']);
        };
      }

      // Chromium 156 ends the sockets of a page it freezes, and tells both sides when the page goes on: 1001 and 1006.
      it('and nothing else has changed: goes on at once', async () => {
        const [mine] = await open();
        const resume = await freeze(mine);
        // Far longer than an answer to a ping may take.
        await new Promise((resolve) => setTimeout(resolve, 4_000));
        await resume();
        await mine.add('after');
        await mine.shows('after');
        const { statuses, causes } = await mine.page.evaluate(() => ({
          statuses: window.app.statuses.map((status) => status.name),
          causes: window.app.reports.map(({ cause }) => cause),
        }));
        expect(statuses, 'late timers say nothing about the node').not.toContain('suspect');
        expect(causes.filter((cause) => cause !== 'lost')).toEqual([]);
        await expect.poll(() => tap.live.length, { ...promptly, message: 'one line' }).toBe(1);
        await sameDocument(mine, ['added after']);
      });

      it('and its node stopped meanwhile: served by the other one', async () => {
        const [mine, line] = await open();
        const resume = await freeze(mine);
        await cluster.apply(line.node as NodeId, 'stop');
        await expect.poll(() => line.closedWith, promptly).toBeDefined();
        await resume();
        await servedBy(mine.page, other(line.node));
        await mine.add('after');
        await mine.shows('after');
        await sameDocument(mine, ['added after']);
      });
    });

    /** Another tab comes to the front. */
    async function hide({ page, context }: TodoPage): Promise<void> {
      await page.evaluate(() => void setInterval(() => (window.ticks += 1), 1_000));
      const front = await context.newPage();
      await front.bringToFront();
      await expect.poll(() => page.evaluate(() => document.visibilityState), promptly).toBe('hidden');
    }

    const pingsOf = (line: Line): number => line.heard.filter(({ text }) => text.includes('"ping"')).length;

    it('hidden: keeps its pace, and a hung node is noticed and left', async () => {
      // Firefox leaves handshakes that hang to themselves after three: two hung ones more, by the balancer's coin, and it takes minutes.
      await cluster.setHealth('app');
      const [mine, line] = await open();
      await hide(mine);
      const before = pingsOf(line);
      await expect.poll(() => pingsOf(line) - before, withinTheMinute).toBeGreaterThanOrEqual(5);
      // 5 pings of the preset `fast` take 20 s and more; timers are held back from their 6th turn on.
      if (name === 'chromium')
        expect(await mine.page.evaluate(() => window.ticks), 'held back').toBeLessThan(10);
      await cluster.apply(line.node as NodeId, 'hang');
      await servedBy(mine.page, other(line.node), withinTheMinute);
      expect(await mine.page.evaluate(() => document.visibilityState)).toBe('hidden');
      expect(await mine.page.evaluate(() => window.violations)).toEqual([]);
      await sameDocument(mine, []);
    });

    it('hidden, and a node that stops is left at once', async () => {
      const [mine, line] = await open();
      await hide(mine);
      await cluster.apply(line.node as NodeId, 'stop');
      await servedBy(mine.page, other(line.node), withinTheMinute);
      await sameDocument(mine, []);
    });

    it('hidden, and the policy of the page forbids a Worker: nothing breaks', async () => {
      tap.policy = (policy) => policy.replace(/worker-src [^;]*/, `worker-src 'none'`);
      const [mine, line] = await open();
      await hide(mine);
      await expect
        .poll(() => mine.page.evaluate(() => window.violations), promptly)
        .toEqual(['worker-src blob']);
      await cluster.apply(line.node as NodeId, 'stop');
      // The end of a socket is heard in time, and the first dials need no timer that is held back.
      await expect.poll(() => tap.dials, promptly).toBeGreaterThan(1);
      await mine.page.bringToFront();
      await servedBy(mine.page, other(line.node));
      expect(await mine.page.evaluate(() => window.violations), 'asked once').toHaveLength(1);
    });

    it('offline: dials nothing; online: served', async () => {
      const [mine, line] = await open(networkHost);
      await mine.page.setOfflineMode(true);
      await expect.poll(() => mine.page.evaluate(() => navigator.onLine), promptly).toBe(false);
      await cluster.apply(line.node as NodeId, 'stop');
      await expect.poll(async () => (await status(mine.page)).name, promptly).toBe('offline');
      const dials = tap.dials;
      await mine.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 3_000)));
      expect([(await status(mine.page)).name, tap.dials]).toEqual(['offline', dials]);
      await mine.page.setOfflineMode(false);
      await servedBy(mine.page, other(line.node));
      expect(await mine.page.evaluate(() => window.life)).toEqual(['offline', 'online']);
      await mine.add('after');
      await mine.shows('after');
      await sameDocument(mine, ['added after']);
    });
  });
}
