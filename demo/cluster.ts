/**
 * The demo cluster: two app nodes, each behind its own gateway, a pass-through balancer in front, shared state, and a control
 * room. Every part that can fail is a process of its own, on 127.0.0.1.
 *
 *     client ── balancer ─┬─ gateway a ── node a ─┬─ store (or Redis)
 *                         └─ gateway b ── node b ─┘
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { ControlRoom } from './control-room/server.ts';
import type { BalancerNode, BalancerOptions } from './net/balancer.ts';
import type { HealthTarget } from './net/health.ts';
import { candidatePort, isPortTaken, listen } from './net/ports.ts';
import { ClusterNode, type NodeNetwork } from './server/cluster-node.ts';
import { Child, ChildError, projectRoot } from './server/processes.ts';
import { ClusterError, nodeIds, type ClusterState, type Fault, type NodeId } from './server/state.ts';
import { Telemetry } from './server/telemetry.ts';

export { ClusterError, faults, nodeIds } from './server/state.ts';
export type { ClientState, ClusterState, FailoverEntry, Fault, NodeId, NodeState } from './server/state.ts';

export interface ClusterOptions {
  /** Of the balancer; the control room takes the next one. 0 for any two free ones. @default 0 */
  port?: number;
  /** Round-trip time between clients and nodes, in ms, 0 to 2000. @default 0 */
  rttMs?: number;
  /** What the balancer's health check asks: the gateway alone (a dead app stays in), or the app. @default 'gateway' */
  health?: HealthTarget;
  /** Shared state in Redis instead of the embedded store. */
  redisUrl?: string;
  /** Between two health checks of a node, in ms, 50 to 3 600 000. @default 5000 */
  healthIntervalMs?: number;
  /** How long a gateway waits for a silent app, in ms, 50 to 3 600 000. @default 60000 */
  gatewayTimeoutMs?: number;
  /** Keep what the processes print to themselves. @default false */
  quiet?: boolean;
}

export interface Cluster {
  /** Of the balancer: `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Of the control room: `http://127.0.0.1:PORT+1`. */
  readonly controlUrl: string;
  /**
   * Brings a fault upon a node, or repairs it, and resolves when it is in effect: the process is gone (stop, kill), stopped by
   * the kernel (hang), cut off (blackhole), has begun to drain (it ends when its
   * clients have gone), or serves through its gateway (restart).
   * `restart` repairs whatever is wrong; a hung process goes on where it was; a node with nothing wrong is stopped and started.
   *
   * @returns when it was delivered, in epoch ms with fractions
   * @throws ClusterError where the node's state does not allow it, such as hanging a stopped app
   */
  apply(node: NodeId, fault: Fault): Promise<{ at: number }>;
  /** @throws ClusterError unless 0 to 2000 */
  setRtt(ms: number): Promise<void>;
  /** @throws ClusterError unless 'gateway' or 'app' */
  setHealth(asks: HealthTarget): Promise<void>;
  state(): Promise<ClusterState>;
  /** Two new, healthy nodes, no todos, no counters, no clients. Round-trip time and health target stay. */
  reset(): Promise<void>;
  /** Ends everything; afterwards no process, timer or socket is left. */
  stop(): Promise<void>;
}

const defaults = {
  port: 0,
  rttMs: 0,
  health: 'gateway' as HealthTarget,
  healthIntervalMs: 5000,
  gatewayTimeoutMs: 60_000,
  quiet: false,
};
type Settings = ClusterOptions & typeof defaults;

/**
 * Starts a cluster; resolves when both nodes serve.
 *
 * @throws ClusterError of kind `port` when a port is taken, `value` for a bad option, `start` when a part cannot start, such as
 *   nodes that do not reach Redis
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const settings = { ...defaults, ...options };
  checkNumber('port', settings.port, 0, 65_534);
  checkNumber('rttMs', settings.rttMs, 0, 2000);
  checkNumber('healthIntervalMs', settings.healthIntervalMs, 50, 3_600_000);
  checkNumber('gatewayTimeoutMs', settings.gatewayTimeoutMs, 50, 3_600_000);
  checkHealth(settings.health);
  const cluster = new DemoCluster(settings);
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error instanceof ChildError ? new ClusterError('start', error.message) : error;
  }
}

function checkNumber(name: string, value: unknown, min: number, max: number): void {
  const whole = name === 'port';
  if (typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value)))
    return;
  const kind = whole ? 'a whole number' : 'a number';
  throw new ClusterError('value', `${name} must be ${kind} from ${min} to ${max}, not ${show(value)}`);
}

function checkHealth(value: unknown): void {
  if (value === 'gateway' || value === 'app') return;
  throw new ClusterError('value', `health must be "gateway" or "app", not ${show(value)}`);
}

const show = (value: unknown): string =>
  typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'undefined');

/** As Promise.all, but a failure waits for the others: what they have started must be known to be ended. */
async function allDone<T extends readonly unknown[]>(
  starts: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(starts);
  return Promise.all(starts);
}

class DemoCluster implements Cluster {
  readonly #settings: Settings;
  readonly #nodes: ClusterNode[] = [];
  readonly #telemetry = new Telemetry(() => this.#changed());
  readonly #balancerNodes = new Map<string, BalancerNode>();
  #balancer: Child | undefined;
  #storeChild: Child | undefined;
  #controlRoom: ControlRoom | undefined;
  #port = 0;
  #stopped: Promise<void> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get controlUrl(): string {
    return `http://127.0.0.1:${this.#port + 1}`;
  }

  async start(): Promise<void> {
    const { redisUrl, gatewayTimeoutMs, quiet } = this.#settings;
    const [, storePort] = await allDone([
      this.#listen(),
      redisUrl === undefined ? this.#startStore() : undefined,
    ]);
    const store = redisUrl === undefined ? { port: storePort as number } : { redisUrl };

    const balancer = this.#balancer as Child;
    const network: NodeNetwork = {
      blackhole: (id, on) => balancer.call('blackhole', { id, on }),
      admit: (id) => balancer.call('admit', id),
    };
    const accountsKey = randomBytes(32).toString('hex');
    const appOptions = { root: projectRoot, controlUrl: this.controlUrl, accountsKey, store };
    await allDone(
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

  async apply(id: NodeId, fault: Fault): Promise<{ at: number }> {
    const node = this.#nodes.find((candidate) => candidate.id === id);
    if (node === undefined)
      throw new ClusterError('value', `node must be one of ${nodeIds.join(', ')}, not ${show(id)}`);
    return node.apply(fault);
  }

  async setRtt(ms: number): Promise<void> {
    checkNumber('ms', ms, 0, 2000);
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
    return this.#state();
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

  /** The balancer and the control room, on two ports in a row. */
  async #listen(): Promise<void> {
    const { port: wanted, rttMs, health, healthIntervalMs, quiet } = this.#settings;
    const balancer = await Child.start('balancer', 'balancer', {
      quiet,
      on: { nodes: (list) => this.#heard(list) },
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
        throw new ClusterError('port', `port ${port} (of the ${owner}) is in use`);
      }
    }
  }

  async #startStore(): Promise<number> {
    this.#storeChild = await Child.start('store', 'store', { quiet: this.#settings.quiet });
    return this.#storeChild.call<number>('start');
  }

  #heard(list: BalancerNode[]): void {
    for (const node of list) this.#balancerNodes.set(node.id, node);
    this.#changed();
  }

  #changed(): void {
    this.#controlRoom?.changed();
  }

  #state(): ClusterState {
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
}
