/** A person works in the todo app, in two windows, and the node of one of them fails. */
import type { Browser } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, type Cluster, type Fault } from '../../demo/cluster.ts';
import { ensureDist } from '../../tools/dist.ts';
import { find } from '../../tools/setup.ts';
import { browserNames, launch } from '../support/browser/browsers.ts';
import { TodoPage } from '../support/browser/todo-page.ts';

const faults: readonly Fault[] = ['stop', 'kill', 'hang', 'blackhole'];

for (const name of browserNames) {
  const missing = (await find(name)) === undefined;
  describe.skipIf(missing)(`${name}${missing ? ' (missing)' : ''}: the todo app`, () => {
    let cluster: Cluster;
    let browser: Browser;
    let windows: TodoPage[] = [];

    beforeAll(async () => {
      await ensureDist();
      // Firefox leaves handshakes that hang to themselves after three (20 s each): a balancer that never learns would make that a matter
      // of luck. Chromium meets one that does not.
      const learns = name === 'firefox' ? ({ health: 'app', healthIntervalMs: 500 } as const) : {};
      [cluster, browser] = await Promise.all([startCluster({ rttMs: 40, ...learns }), launch(name)]);
    });
    afterAll(() => Promise.all([browser?.close(), cluster?.stop()]));
    afterEach(async () => {
      await Promise.all(windows.map((window) => window.close()));
      windows = [];
      await cluster.reset();
    });

    async function open(): Promise<TodoPage> {
      const window = await TodoPage.open(browser, cluster.url);
      windows.push(window);
      return window;
    }

    it.each(faults)('survives %s of its node', async (fault) => {
      const mine = await open();
      const other = await open();
      await mine.page.evaluate(() => void (window.marker = 'the same page'));
      await mine.add('before');
      await Promise.all([mine.shows('before'), other.shows('before')]);
      const dying = (await mine.node()) as 'a' | 'b';

      await cluster.apply(dying, fault);
      await mine.add('while down');

      await mine.servedBy(dying === 'a' ? 'b' : 'a');
      await Promise.all([mine.shows('while down'), other.shows('while down')]);
      for (const each of [mine, other]) {
        expect(await each.texts()).toEqual(['before', 'while down']);
        expect(each.problems).toEqual([]);
        expect(each.documents, 'pages loaded in this window').toBe(1);
        const { seen, violations } = await each.page.evaluate(() => ({
          seen: window.app.seen.map(({ event, text }) => `${event} ${text}`),
          violations: window.violations,
        }));
        expect(seen, 'nothing flickered').toEqual(['added before', 'added while down']);
        expect(violations).toEqual([]);
      }
      const { marker, reports } = await mine.page.evaluate(() => ({
        marker: window.marker,
        reports: window.app.reports,
      }));
      expect(marker).toBe('the same page');
      expect(reports).toHaveLength(1);
      expect(reports[0]).toMatchObject({
        cause: fault === 'stop' || fault === 'kill' ? 'lost' : 'silent',
        fromNode: dying,
        toNode: dying === 'a' ? 'b' : 'a',
      });
    });
  });
}
