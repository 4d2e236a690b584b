/**
 * The demo cluster: two app nodes, each behind its own gateway, a pass-through balancer in front, shared state, and a control
 * room. Every part that can fail runs as a process of its own, on 127.0.0.1.
 *
 *     client ── balancer ─┬─ gateway a ── node a ─┬─ store (or Redis)
 *                         └─ gateway b ── node b ─┘
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { projectRoot } from '../tools/run.ts';
import {
  ClusterError,
  nodeIds,
  type Cluster,
  type ClusterOptions,
  type ClusterState,
  type Fault,
  type NodeId,
} from './cluster/api.ts';
import { ClusterNode, type NodeNetwork } from './cluster/cluster-node.ts';
import {
  checkHealth,
  checkRtt,
  formatValue,
  readClusterOptions,
  type ClusterSettings,
} from './cluster/options.ts';
import { Telemetry } from './cluster/telemetry.ts';
import { ControlRoom } from './control-room/server.ts';
import type { BalancerNode, BalancerOptions } from './net/balancer.ts';
import type { HealthTarget } from './net/health.ts';
import { candidatePort, isPortTaken, listen } from './net/ports.ts';
import { Child, ChildError } from './processes/child.ts';

export { ClusterError, faults, nodeIds } from './cluster/api.ts';
export type {
  ClientState,
  Cluster,
  ClusterOptions,
  ClusterState,
  FailoverEntry,
  Fault,
  NodeId,
  NodeState,
} from './cluster/api.ts';

/**
 * Starts a cluster; resolves when both nodes serve.
 *
 * @throws ClusterError of kind `port` when a port is in use, `value` for a bad option, `start` when a part cannot start, such
 *   as nodes that do not reach Redis
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = new DemoCluster(readClusterOptions(options));
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error instanceof ChildError ? new ClusterError('start', error.message) : error;
  }
}

class DemoCluster implements Cluster {
  readonly #settings: ClusterSettings;
  readonly #nodes: ClusterNode[] = [];
  readonly #telemetry = new Telemetry(() => this.#changed());
  /** What the balancer last reported of each node, by node id. */
  readonly #balancerNodes = new Map<string, BalancerNode>();
  #balancer: Child | undefined;
  #storeChild: Child | undefined;
  #controlRoom: ControlRoom | undefined;
  #port = 0;
  #stopped: Promise<void> | undefined;

  constructor(settings: ClusterSettings) {
    this.#settings = settings;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get controlUrl(): string {
    return `http://127.0.0.1:${this.#port + 1}`;
  }

  async start(): Promise<void> {
    const { redisUrl } = this.#settings;
    const [, storePort] = await allSettledOrThrow([
      this.#openPorts(),
      redisUrl === undefined ? this.#startStore() : undefined,
    ]);
    await this.#startNodes(redisUrl === undefined ? { port: storePort as number } : { redisUrl });
  }

  async apply(id: NodeId, fault: Fault): Promise<{ at: number }> {
    const node = this.#nodes.find((candidate) => candidate.id === id);
    if (node === undefined)
      throw new ClusterError('value', `node must be one of ${nodeIds.join(', ')}, not ${formatValue(id)}`);
    return node.apply(fault);
  }

  async setRtt(ms: number): Promise<void> {
    checkRtt('ms', ms);
    await this.#balancer?.call('setRtt', ms);
    this.#settings.rttMs = ms;
    this.#changed();
  }

  async setHealth(asks: HealthTarget): Promise<void> {
    checkHealth(asks);
    await this.#balancer?.call('setHealth', asks);
    this.#settings.health = asks;
    this.#changed();
  }

  async state(): Promise<ClusterState> {
    const { rttMs, health } = this.#settings;
    return {
      rttMs,
      health,
      nodes: this.#nodes.map(({ id, status, blackholed, pid, port }) => ({
        id,
        app: status,
        network: blackholed ? 'blackholed' : 'ok',
        health: this.#balancerNodes.get(id)?.healthy === false ? 'ejected' : 'healthy',
        flows: this.#balancerNodes.get(id)?.flows ?? 0,
        clients: this.#telemetry.count(id),
        ...(pid !== undefined && { pid }),
        port,
      })),
      clients: this.#telemetry.clients,
      failovers: [...this.#telemetry.failovers],
    };
  }

  async reset(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.renew()));
    await this.#nodes[0]?.clearStore();
    this.#telemetry.clear();
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#end());
  }

  async #end(): Promise<void> {
    this.#telemetry.close();
    await Promise.all([
      this.#controlRoom?.close(),
      this.#balancer?.end(),
      ...this.#nodes.map((node) => node.end()),
    ]);
    await this.#storeChild?.end();
  }

  /** Starts the balancer and the control room on two consecutive ports. */
  async #openPorts(): Promise<void> {
    const { port: wanted, rttMs, health, healthIntervalMs, quiet } = this.#settings;
    const balancer = await Child.start('balancer', 'balancer', {
      quiet,
      on: { nodes: (list) => this.#receiveBalancerNodes(list) },
    });
    this.#balancer = balancer;
    for (let attempt = 1; ; attempt++) {
      this.#port = wanted || candidatePort();
      const server = createServer();
      let owner = 'control room';
      try {
        await listen(server, this.#port + 1);
        owner = 'balancer';
        const options: BalancerOptions = { port: this.#port, rttMs, health, healthIntervalMs };
        await balancer.call('start', options);
        this.#controlRoom = new ControlRoom(server, this.#port + 1, this, this.#telemetry);
        return;
      } catch (error) {
        server.close();
        if (!isPortTaken(error)) throw error;
        if (wanted === 0 && attempt < 50) continue;
        const port = owner === 'balancer' ? this.#port : this.#port + 1;
        throw new ClusterError('port', `Port ${port} is in use, and the ${owner} needs it.`);
      }
    }
  }

  /** @returns the store's port */
  async #startStore(): Promise<number> {
    this.#storeChild = await Child.start('store', 'store', { quiet: this.#settings.quiet });
    return this.#storeChild.call<number>('start');
  }

  async #startNodes(store: { port: number } | { redisUrl: string }): Promise<void> {
    const { gatewayTimeoutMs, quiet } = this.#settings;
    const balancer = this.#balancer as Child;
    const network: NodeNetwork = {
      blackhole: (id, on) => balancer.call('blackhole', { id, on }),
      admit: (id) => balancer.call('admit', id),
    };
    const accountsKey = randomBytes(32).toString('hex');
    const appOptions = { root: projectRoot, controlUrl: this.controlUrl, accountsKey, store };
    await allSettledOrThrow(
      nodeIds.map(async (id) => {
        const node = await ClusterNode.start(id, appOptions, { gatewayTimeoutMs, quiet }, network, () =>
          this.#changed(),
        );
        this.#nodes.push(node);
      }),
    );
    this.#nodes.sort((x, y) => nodeIds.indexOf(x.id) - nodeIds.indexOf(y.id));
    await balancer.call(
      'setNodes',
      this.#nodes.map(({ id, port }) => ({ id, port })),
    );
  }

  #receiveBalancerNodes(list: BalancerNode[]): void {
    for (const node of list) this.#balancerNodes.set(node.id, node);
    this.#changed();
  }

  #changed(): void {
    this.#controlRoom?.changed();
  }
}

/** Like Promise.all, but waits for all before it throws: `stop` must know every process that was started. */
async function allSettledOrThrow<T extends readonly unknown[]>(
  starts: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(starts);
  return Promise.all(starts);
}
