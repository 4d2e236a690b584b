/** A real Meteor client and an app on it, with the library installed: what the app is told, and what it is spared. */
import type { Browser } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, type Cluster } from '../../demo/cluster.ts';
import { findMeteorClient } from '../support/meteor-client/fixture.ts';
import { MeteorPage, transports, type Install } from '../support/meteor-client/page.ts';
import { ensureDist } from '../../tools/dist.ts';
import { find } from '../../tools/setup.ts';
import { launch } from '../support/browser/browsers.ts';
import { Tap } from '../support/browser/tap.ts';

const client = await findMeteorClient();
const missing = [
  ...((await find('chromium')) === undefined ? ['chromium'] : []),
  ...(client === undefined ? ['its client'] : []),
];
const note = missing.length > 0 ? ` (${missing.join(' and ')} missing)` : '';

const other = (node: string): string => (node === 'a' ? 'b' : 'a');

describe.skipIf(missing.length > 0).each(transports)(
  `Meteor ${client?.version}${note} over %s`,
  (transport) => {
    let cluster: Cluster;
    let browser: Browser;
    let tap: Tap;
    /** The same cluster under another address. */
    let elsewhere: Tap;
    let pages: MeteorPage[] = [];

    beforeAll(async () => {
      await ensureDist();
      [cluster, browser] = await Promise.all([startCluster({ rttMs: 40 }), launch('chromium')]);
      [tap, elsewhere] = await Promise.all([Tap.open(cluster.url), Tap.open(cluster.url)]);
    });
    afterAll(async () => {
      await browser?.close();
      await Promise.all([tap?.close(), elsewhere?.close()]);
      await cluster?.stop();
    });
    afterEach(async () => {
      const problems = pages.flatMap((page) => page.problems);
      await Promise.all(pages.map((page) => page.close()));
      pages = [];
      tap.reset();
      elsewhere.reset();
      await cluster.reset();
      expect(problems).toEqual([]);
    });

    /** Behind the tap, subscribed and served. */
    async function open(install: Install, url = tap.url()): Promise<MeteorPage> {
      const page = await MeteorPage.open(browser, url, { transport, install, options: { policy: 'fast' } });
      pages.push(page);
      return page;
    }

    /** With the library installed, its round trip measured, a user and two documents. */
    async function openUsed(install: 'early' | 'later' = 'early'): Promise<MeteorPage> {
      const page = await open(install);
      if (install === 'early')
        await page.until(() => {
          const { link } = window.uninstall as unknown as { link: { stats(): { rttMs?: number } } };
          return link.stats().rttMs !== undefined;
        });
      await page.get(async (app) => {
        await app.login('ann');
        await app.call('todos.add', 'one', 'first');
        await app.call('todos.add', 'two', 'second');
      });
      await page.until(
        (app) => app.runs.texts.at(-1) === 'first,second' && app.runs.username.at(-1) === 'ann',
      );
      await forget(page);
      return page;
    }

    /** What is told from now on is what counts. */
    const forget = (page: MeteorPage): Promise<void> =>
      page.get((app) => {
        for (const list of [app.statuses, app.events, app.settled, app.logins, ...Object.values(app.runs)])
          list.length = 0;
      });

    /** What the app was told since. */
    const told = (page: MeteorPage) =>
      page.get((app) => ({
        events: app.events.map(({ event, id }) => `${event} ${id}`),
        runs: app.runs,
        settled: app.settled.map(({ method, error, result }) => error ?? [method, result]),
      }));
    const nothing = {
      events: [],
      runs: { texts: [], ready: [], userId: [], username: [] },
      settled: [],
    };

    const statuses = (page: MeteorPage): Promise<string[]> =>
      page.get((app) => app.statuses.map(({ status, retryCount }) => `${status} ${retryCount}`));

    const connected = (page: MeteorPage): Promise<void> =>
      page.until((app) => app.Meteor.status().connected && app.Meteor.status().status === 'connected');

    const servedBy = (page: MeteorPage, node: string): Promise<void> =>
      page.until((app, name) => app.node() === name, node);

    /** One connection is left of all, and it is this page's only one. */
    const aloneOnTheLine = (): Promise<void> =>
      expect.poll(() => tap.live.map(({ path }) => path), { timeout: 10_000 }).toHaveLength(1);

    const ownStream = (page: MeteorPage): Promise<boolean> =>
      page.get(({ Meteor }) =>
        Object.prototype.hasOwnProperty.call(Meteor.connection._stream, 'eventCallbacks'),
      );

    it('a page that does not install it is untouched', async () => {
      const page = await open('later');
      const dying = await page.node();
      expect(await ownStream(page)).toBe(true);
      expect(page.requests.includes('/sockjs/info')).toBe(transport === 'sockjs');
      await forget(page);
      await cluster.apply(dying, 'stop');
      await page.until((app) => app.statuses.length > 0);
      expect((await statuses(page))[0]).toBe('waiting 0');
    });

    it('installed before the first connect: the only connection that is used is its own', async () => {
      const page = await open('early');
      await aloneOnTheLine();
      // Meteor makes its raw WebSocket with `Meteor.connection`: cancelled at once, it may have reached the server.
      const cancelled = tap.lines.filter(({ heard }) => heard.length === 0);
      expect(cancelled.length).toBeLessThanOrEqual(transport === 'raw' ? 1 : 0);
      expect(tap.lines).toHaveLength(cancelled.length + 1);
      expect(tap.live[0]!.path).toMatch(
        transport === 'sockjs' ? /^\/sockjs\/\w+\/\w+\/websocket$/ : /^\/websocket$/,
      );
      expect(await statuses(page)).toEqual(['connecting 0', 'connected 0']);
      expect(await page.get((app) => app.runs.ready)).toEqual([false, true]);
    });

    it('installed on a live connection: nothing is lost, nothing is told', async () => {
      const page = await openUsed('later');
      const before = tap.live[0]!;
      const call = page.get((app) => app.call('slow', 500, 'done'));
      await page.install({ policy: 'fast' });
      await expect.poll(() => before.closedWith, { timeout: 10_000 }).toBeDefined();
      await connected(page);
      expect(await call).toBe('done');
      expect(await page.get((app) => app.call('username'))).toBe('ann');
      await aloneOnTheLine();
      expect(await told(page)).toEqual({
        ...nothing,
        settled: [
          ['slow', 'done'],
          ['username', 'ann'],
        ],
      });
      expect(await page.get((app) => app.statuses.filter(({ connected: up }) => !up))).toEqual([]);
      // It is at work: a failover goes as it should.
      const dying = await page.node();
      await cluster.apply(dying, 'stop');
      await servedBy(page, other(dying));
    });

    it('installed twice is installed once', async () => {
      const page = await open('later');
      await page.install();
      const first = await page.page.evaluateHandle(() => window.uninstall);
      await page.install({ policy: 'frugal' });
      expect(await page.page.evaluate((one) => one === window.uninstall, first)).toBe(true);
      await expect.poll(() => tap.lines.length).toBe(2);
      await aloneOnTheLine();
      await page.page.evaluate(() => {
        window.uninstall!();
        window.uninstall!();
      });
      await connected(page);
      expect(await ownStream(page)).toBe(true);
      await aloneOnTheLine();
    });

    it('uninstalled: Meteor’s own stream goes on, with all that was subscribed', async () => {
      const page = await openUsed();
      await page.page.evaluate(() => window.uninstall!());
      await connected(page);
      expect(await ownStream(page)).toBe(true);
      expect(await page.get((app) => app.call('username'))).toBe('ann');
      await aloneOnTheLine();
      await page.get((app) => app.call('todos.add', 'three', 'third'));
      await page.until((app) => app.events.length > 0);
      expect(await told(page)).toMatchObject({
        events: ['added three'],
        runs: { ...nothing.runs, texts: ['first,second,third'] },
      });
      // Meteor's own heartbeat is back as well.
      const heartbeat = await page.get(({ Meteor }) => {
        const { _heartbeatInterval, _heartbeat } = Meteor.connection as unknown as {
          _heartbeatInterval: number;
          _heartbeat: unknown;
        };
        return [_heartbeatInterval, _heartbeat !== null];
      });
      expect(heartbeat).toEqual([17500, true]);
    });

    it.each(['stop', 'hang', 'blackhole'] as const)(
      '%s: the app is told what has changed, and no more',
      async (fault) => {
        const page = await openUsed();
        const second = await open('early', cluster.url);
        const dying = await page.node();
        const call = page.get((app) => app.call('slow', 1500, 'slowly'));
        await cluster.apply(dying, fault);
        await servedBy(second, other(dying));
        await second.get((app) => app.call('todos.add', 'three', 'third'));
        await servedBy(page, other(dying));
        await page.until((app) => app.runs.texts.length > 0);

        expect(await call).toBe('slowly');
        expect(await page.get((app) => app.call('username')), 'logged in on the other node').toBe('ann');
        expect(await told(page)).toEqual({
          events: ['added three'],
          runs: { ...nothing.runs, texts: ['first,second,third'] },
          settled: [
            ['slow', 'slowly'],
            ['username', 'ann'],
          ],
        });
        expect(await page.get((app) => app.logins.map(({ type }) => type))).toEqual(['resume']);
        const seen = await statuses(page);
        // Silence is met by a replacement, and Meteor is connected until that is there.
        if (fault !== 'stop') expect(seen).toEqual([]);
        else {
          expect(seen.at(-1)).toBe('connected 0');
          expect(seen[0]).toMatch(/^(waiting|connecting) /);
        }
        await cluster.apply(dying, 'restart');
        await aloneOnTheLine();
      },
    );

    it('logged out: a failover logs nobody in; logged in again: it does', async () => {
      const page = await openUsed();
      await page.get((app) => app.logout());
      await forget(page);
      const first = await page.node();
      await cluster.apply(first, 'stop');
      await servedBy(page, other(first));
      expect(await page.get(async (app) => (await app.call('username')) ?? 'nobody')).toBe('nobody');
      expect(await page.get((app) => [app.logins, app.runs.userId])).toEqual([[], []]);

      await cluster.apply(first, 'restart');
      await page.get((app) => app.login('bob'));
      const second = await page.node();
      await forget(page);
      await cluster.apply(second, 'stop');
      await servedBy(page, other(second));
      expect(await page.get((app) => app.call('username'))).toBe('bob');
      expect(await page.get((app) => app.runs.userId)).toEqual([]);
    });

    it('disconnect() ends it until reconnect()', async () => {
      const page = await openUsed();
      await page.get(({ Meteor }) => Meteor.disconnect());
      expect(await page.get(({ Meteor }) => Meteor.status())).toEqual({
        status: 'offline',
        connected: false,
        retryCount: 0,
      });
      await expect.poll(() => tap.live).toEqual([]);
      const { dials } = tap;
      // What wakes a link up: it must not wake this one.
      await page.page.evaluate(() => void window.dispatchEvent(new Event('online')));
      const call = page.get((app) => app.call('echo', 'later'));
      await page.get(({ Meteor }) => Meteor.reconnect());
      await connected(page);
      expect(await call).toBe('later');
      expect(tap.dials).toBe(dials + 1);
      await aloneOnTheLine();
      expect(await statuses(page)).toEqual(['offline 0', 'connecting 0', 'connected 0']);
      expect(await told(page)).toEqual({ ...nothing, settled: [['echo', 'later']] });
    });

    it('reconnect() on a connection that is up changes nothing', async () => {
      const page = await openUsed();
      const { dials } = tap;
      await page.get(({ Meteor }) => Meteor.reconnect());
      expect(await page.get((app) => app.call('echo', 'same'))).toBe('same');
      expect(tap.dials).toBe(dials);
      expect(await statuses(page)).toEqual([]);
    });

    it('reconnect({ url }) moves it', async () => {
      const page = await openUsed();
      await page.get(({ Meteor }, url) => Meteor.reconnect({ url }), elsewhere.url());
      await expect.poll(() => elsewhere.live, { timeout: 10_000 }).toHaveLength(1);
      await expect.poll(() => tap.live, { timeout: 10_000 }).toEqual([]);
      await connected(page);
      expect(await page.get((app) => app.call('username'))).toBe('ann');
      expect(await page.get(({ Meteor }) => Meteor.connection._stream.rawUrl)).toBe(elsewhere.url());
      expect(await told(page)).toEqual({ ...nothing, settled: [['username', 'ann']] });
    });

    it('drained: it moves without a gap, and calls under way are answered where they are', async () => {
      const page = await openUsed();
      const leaving = await page.node();
      const call = page.get((app) => app.call('slow', 700, 'slowly'));
      await cluster.apply(leaving, 'drain');
      await servedBy(page, other(leaving));
      expect(await call).toBe('slowly');
      expect(await page.get((app) => app.call('username'))).toBe('ann');
      expect(await told(page)).toEqual({
        ...nothing,
        settled: [
          ['slow', 'slowly'],
          ['username', 'ann'],
        ],
      });
      expect(await statuses(page)).toEqual([]);
      const sent = tap.lines.flatMap(({ heard }) => heard.filter(({ text }) => text.includes('slowly')));
      expect(sent, 'how often the call was sent').toHaveLength(1);
    });

    it('a document that a method stub has written stays through a failover', async () => {
      // Nobody is logged in: else Meteor itself takes it back until the login has been answered.
      const page = await open('early');
      await page.until((app) => app.runs.ready.at(-1) === true);
      const dying = await page.node();
      await cluster.apply(dying, 'hang');
      // Not noticed yet: the call goes to the node that does not answer.
      const added = page.get(async (app) => {
        app.stub('todos.add', (_id, text) =>
          app.Todos.insert({ _id, text, done: false, createdAt: new Date() }),
        );
        await app.call('todos.add', 'three', 'third');
      });
      await servedBy(page, other(dying));
      await added;
      const { events, settled } = await told(page);
      // The stub guesses `createdAt`; the server knows it.
      expect(events.filter((event) => event !== 'changed three')).toEqual(['added three']);
      expect(settled).toEqual([['todos.add', 'three']]);
    });

    it('with no node left it waits and says so; reconnect() dials at once', async () => {
      const page = await openUsed();
      await Promise.all([cluster.apply('a', 'stop'), cluster.apply('b', 'stop')]);
      await page.until((app) =>
        app.statuses.some(({ status, retryCount }) => status === 'waiting' && retryCount > 5),
      );
      const waiting = await page.get((app) =>
        app.statuses.flatMap(({ at, retryTime }) => (retryTime === undefined ? [] : [retryTime - at])),
      );
      expect(waiting.length).toBeGreaterThan(0);
      expect(Math.max(...waiting), 'ms until it dials').toBeLessThan(60_000);
      await page.until(({ Meteor }) => Meteor.status().status === 'waiting');
      const { dials } = tap;
      await page.get(({ Meteor }) => Meteor.reconnect());
      await expect.poll(() => tap.dials, { timeout: 1000 }).toBeGreaterThan(dials);
      await Promise.all([cluster.apply('a', 'restart'), cluster.apply('b', 'restart')]);
      await page.get(({ Meteor }) => Meteor.reconnect());
      await connected(page);
      expect(await page.get((app) => app.call('username'))).toBe('ann');
      expect(await told(page)).toEqual({ ...nothing, settled: [['username', 'ann']] });
      const seen = await page.get((app) => app.statuses.map(({ status, connected: up }) => [status, up]));
      expect(seen.filter(([status, up]) => (status === 'connected') !== up)).toEqual([]);
    });

    it('uninstalled while there is no connection: Meteor goes on by itself', async () => {
      const page = await openUsed();
      await Promise.all([cluster.apply('a', 'stop'), cluster.apply('b', 'stop')]);
      await page.until((app) => app.statuses.some(({ status }) => status === 'waiting'));
      await page.page.evaluate(() => window.uninstall!());
      expect(await ownStream(page)).toBe(true);
      await Promise.all([cluster.apply('a', 'restart'), cluster.apply('b', 'restart')]);
      await page.get(({ Meteor }) => Meteor.reconnect());
      await connected(page);
      expect(await page.get((app) => app.call('username'))).toBe('ann');
      expect(await told(page)).toEqual({ ...nothing, settled: [['username', 'ann']] });
      await aloneOnTheLine();
    });

    it('installed while Meteor waits: it need not wait', async () => {
      const page = await openUsed('later');
      await Promise.all([cluster.apply('a', 'stop'), cluster.apply('b', 'stop')]);
      // Meteor's third wait is seconds long.
      await page.until((app) =>
        app.statuses.some(({ status, retryCount }) => status === 'waiting' && retryCount > 1),
      );
      await Promise.all([cluster.apply('a', 'restart'), cluster.apply('b', 'restart')]);
      await page.install({ policy: 'fast' });
      await connected(page);
      expect(await page.get((app) => app.call('username'))).toBe('ann');
      expect(await told(page)).toEqual({ ...nothing, settled: [['username', 'ann']] });
      await aloneOnTheLine();
    });

    it('installed while disconnected: it stays so until reconnect()', async () => {
      const page = await openUsed('later');
      await page.get(({ Meteor }) => Meteor.disconnect());
      await expect.poll(() => tap.live).toEqual([]);
      const { dials } = tap;
      await page.install({ policy: 'fast' });
      await page.page.evaluate(() => void window.dispatchEvent(new Event('online')));
      expect(await page.get(({ Meteor }) => Meteor.status().status)).toBe('offline');
      await page.get(({ Meteor }) => Meteor.reconnect());
      await connected(page);
      expect(tap.dials).toBe(dials + 1);
      expect(await page.get((app) => app.call('username'))).toBe('ann');
      expect(await told(page)).toEqual({ ...nothing, settled: [['username', 'ann']] });
    });

    it('a second connection of the app can have it as well', async () => {
      const page = await openUsed();
      await page.connectTo(elsewhere.url());
      const secondNode = () =>
        page.page.evaluate(
          () =>
            new Promise((done) => window.second!.call('whoami', (_: unknown, node: string) => done(node))),
        );
      const dying = (await secondNode()) as 'a' | 'b';
      await cluster.apply(dying, 'stop');
      expect(await secondNode()).toBe(other(dying));
      await page.page.evaluate(() => window.second!.disconnect());
      await expect.poll(() => elsewhere.live).toEqual([]);
      expect(await page.get((app) => app.call('username')), 'the first is as it was').toBe('ann');
    });

    it('a node that opens and then says nothing is given up', async () => {
      const page = await openUsed();
      const dying = await page.node();
      tap.mute = 1;
      await cluster.apply(dying, 'stop');
      await servedBy(page, other(dying));
      expect(tap.mute, 'one has been met').toBe(0);
      expect(await page.get((app) => app.call('username'))).toBe('ann');
      expect(await told(page)).toEqual({ ...nothing, settled: [['username', 'ann']] });
    });
  },
);
