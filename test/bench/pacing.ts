/** Where dialling does not help: how often it is done all the same, and how soon a node that comes back is found. */
import type { Page } from 'puppeteer-core';
import { mostWithin } from './continuity.ts';
import {
  begin,
  healthy,
  nodeOf,
  pause,
  settle,
  type BenchPage,
  type ClientOptions,
  type Harness,
} from './harness.ts';
import type { Options } from './options.ts';
import { rounded, type Row, type Section } from './tables.ts';

const MINUTE_MS = 60_000;

interface Seen {
  readonly dials: readonly number[];
  readonly downs: number;
  readonly suspected: number;
  readonly warnings: readonly string[];
}

/** Handshakes fail many times in a row, then one node serves again. */
export async function outage(harness: Harness, o: Options): Promise<Section> {
  const { cluster } = harness;
  const rows: Row[] = [];
  const pages: BenchPage[] = [];
  try {
    for (let i = 0; i < o.pages; i++)
      pages.push(await harness.open('ddp', { policy: o.policy, standby: 'off' }));
    const all = pages.map(({ page }) => page);
    await begin(all);
    await Promise.all([cluster.apply('a', 'stop'), cluster.apply('b', 'stop')]);
    process.stderr.write(
      `Both nodes are stopped until every page has seen ${o.failures} failed handshakes.\n`,
    );
    // Asked again and again: no protocol waits for minutes for one answer.
    const failed = (page: Page) =>
      page.evaluate(
        () => window.bench.dials.filter(({ open, end }) => open === undefined && end !== undefined).length,
      );
    for (const page of all) while ((await failed(page)) < o.failures) await pause(1_000);
    const served = all.map((page) => page.evaluate((ms) => window.bench.moved('nobody', ms), o.limitMs));
    await cluster.apply('a', 'restart');
    const at = Date.now();
    await Promise.all(served);
    for (const [i, page] of all.entries()) {
      const { dials, servedAt } = await page.evaluate(() => ({
        dials: window.bench.dials.map(({ start }) => start),
        servedAt: window.bench.served.at(-1)?.at,
      }));
      rows.push({
        page: i + 1,
        dials: dials.length,
        'most in 1 s': mostWithin(dials, 1000),
        'most in 1 min': mostWithin(dials, MINUTE_MS),
        'dials / min': Math.round((dials.length / ((dials.at(-1) ?? 0) - (dials[0] ?? 0))) * MINUTE_MS),
        'served after': servedAt && Math.round(servedAt - at),
      });
    }
    await cluster.apply('b', 'restart');
    await healthy(cluster);
  } finally {
    await Promise.all(pages.map((page) => page.close()));
  }
  return {
    title: `${o.failures} handshake failures in a row, then a healthy node`,
    notes: [
      `The policy is ${o.policy}. "served after" counts from the moment the restarted node serves. The other node stays stopped, so half of all dials go on failing.`,
    ],
    rows,
  };
}

/** Standby with nobody to stand by; heartbeats that nobody answers. */
export async function pacing(harness: Harness, o: Options): Promise<Section> {
  const minutes = o.minutes ?? 2;
  const preset = o.policy;
  const used = { preset, idleAfterMs: 86_400_000 };
  const off = { policy: used, standby: 'off' } as const;
  const rows = [
    await scene(harness, o, 'standby, one node left', { policy: used, standby: 'warm' }, minutes, 'alone'),
    await scene(harness, o, 'heartbeat not answered any more', off, minutes, 'mute'),
    await scene(
      harness,
      o,
      'heartbeat not answered any more, hedge: false',
      { ...off, hedge: false },
      minutes,
      'mute',
    ),
  ];
  return {
    title: `Pace where nothing helps: ${minutes} min each`,
    notes: [
      `The policy is ${o.policy}, the pages are in use and speak DDP. Dials and losses are those of all ${o.pages} pages.`,
    ],
    rows,
  };
}

async function scene(
  harness: Harness,
  o: Options,
  name: string,
  options: ClientOptions,
  minutes: number,
  trouble: 'alone' | 'mute',
): Promise<Row> {
  const { cluster } = harness;
  const opened: BenchPage[] = [];
  process.stderr.write(`The case "${name}" takes ${minutes} min.\n`);
  try {
    for (let i = 0; i < o.pages; i++) opened.push(await harness.open('ddp', options));
    const pages = opened.map(({ page }) => page);
    const from = Date.now();
    if (trouble === 'alone') {
      const node = (await nodeOf(pages[0]!)) === 'a' ? 'b' : 'a';
      await cluster.apply(node, 'stop');
      await Promise.all(pages.map((page) => settle(page)));
      await begin(pages);
    } else {
      await begin(pages);
      await Promise.all(pages.map((page) => page.evaluate(() => void (window.bench.mute = true))));
    }
    await pause(minutes * MINUTE_MS);
    const seen: Seen[] = await Promise.all(
      pages.map((page) =>
        page.evaluate(() => ({
          dials: window.bench.dials.map(({ start }) => start),
          downs: window.bench.downs.length,
          suspected: window.bench.noticed.length,
          warnings: [...new Set(window.bench.warnings)],
        })),
      ),
    );
    const dials = seen.map((page) => page.dials.filter((start) => start > from));
    return {
      scene: name,
      pages: pages.length,
      'dials a page p50': rounded(
        dials.map(({ length }) => length),
        0.5,
      ),
      'most in 1 min': Math.max(...dials.map((starts) => mostWithin(starts, MINUTE_MS))),
      suspected: seen.reduce((sum, { suspected }) => sum + suspected, 0),
      down: seen.reduce((sum, { downs }) => sum + downs, 0),
      warnings: [...new Set(seen.flatMap(({ warnings }) => warnings))].join(' ') || 'none',
    };
  } finally {
    await Promise.all(opened.map((page) => page.close()));
    const { nodes } = await cluster.state();
    for (const { id, app } of nodes) if (app !== 'running') await cluster.apply(id, 'restart');
    await healthy(cluster);
  }
}
