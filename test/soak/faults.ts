/** What happens to the cluster and to the pages' network during a soak, drawn from a seed. */
import type { Page } from 'puppeteer-core';
import type { Cluster, Fault, NodeId } from '../../demo/cluster.ts';
import { healthy, pause } from '../bench/harness.ts';
import { seeded } from '../support/random.ts';

const NODE_FAULTS: readonly Fault[] = ['stop', 'kill', 'hang', 'blackhole', 'drain', 'restart'];
const KINDS = [...NODE_FAULTS, 'both stop', 'offline', 'slow'] as const;
export type FaultKind = (typeof KINDS)[number];

/** How long a fault lasts before it is repaired, ms. */
const LASTS_MS = [500, 4_000] as const;

export class Faults {
  readonly counts: Record<string, number> = {};
  readonly #random: () => number;

  constructor(
    readonly cluster: Cluster,
    readonly pages: readonly Page[],
    seed: number,
  ) {
    this.#random = seeded(seed);
  }

  /** One fault and its repair. @returns what it was */
  async next(): Promise<FaultKind> {
    const kind = this.#one(KINDS);
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    const node = this.#one<NodeId>(['a', 'b']);
    const lastsMs = LASTS_MS[0] + this.#random() * (LASTS_MS[1] - LASTS_MS[0]);
    switch (kind) {
      case 'both stop':
        await this.#upon(['a', 'b'], 'stop', lastsMs);
        break;
      case 'offline': {
        await this.#offline(true);
        await pause(lastsMs);
        await this.#offline(false);
        break;
      }
      case 'slow':
        await this.cluster.setRtt(Math.round(this.#random() * 400));
        await pause(lastsMs);
        await this.cluster.setRtt(0);
        break;
      default:
        await this.#upon([node], kind, lastsMs);
    }
    return kind;
  }

  async #upon(nodes: readonly NodeId[], fault: Fault, lastsMs: number): Promise<void> {
    for (const node of nodes) await this.cluster.apply(node, fault);
    if (fault === 'restart') return healthy(this.cluster);
    await pause(lastsMs);
    for (const node of nodes) await this.cluster.apply(node, 'restart');
    await healthy(this.cluster);
  }

  /** Says so, and stops what is fetched; engines leave WebSockets that are open alone. */
  async #offline(on: boolean): Promise<void> {
    await Promise.all(this.pages.map((page) => page.setOfflineMode(on)));
  }

  #one<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }
}
