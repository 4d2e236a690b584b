/**
 * A pass-through load balancer like a GCP target pool or an AWS NLB: a hash of its 5-tuple assigns each new connection to a
 * healthy node, and established flows are never moved. It also simulates the network in between: latency and black holes.
 */
import { createServer, type Socket } from 'node:net';
import { serveParent } from '../processes/serve-parent.ts';
import { Flow } from './flow.ts';
import { pickByHash } from './hash.ts';
import { checkHealth, HealthCheck, type HealthTarget } from './health.ts';
import { listen } from './ports.ts';

export interface BalancerOptions {
  port: number;
  rttMs: number;
  health: HealthTarget;
  /** Time between two checks of a node, and the limit for an answer, in ms. */
  healthIntervalMs: number;
}

/** What the balancer reports of each node after every change. */
export interface BalancerNode {
  id: string;
  healthy: boolean;
  flows: number;
}

class BackendNode {
  readonly flows = new Set<Flow>();
  /** Number of flows whose client is still connected. */
  clients = 0;
  blackholed = false;
  readonly health: HealthCheck;

  constructor(
    readonly id: string,
    readonly port: number,
  ) {
    this.health = new HealthCheck(() => this.#check(), settings.healthIntervalMs, changed);
  }

  async #check(): Promise<boolean> {
    const wasBlackholed = this.blackholed;
    const started = performance.now();
    const healthy = await checkHealth(this.port, settings.health, settings.healthIntervalMs - 10);
    if (!wasBlackholed && !this.blackholed) return healthy;
    // The answer never arrives through a black hole: the check fails by its timeout.
    const left = settings.healthIntervalMs - 10 - (performance.now() - started);
    return new Promise((resolve) => setTimeout(() => resolve(false), Math.max(0, left)));
  }
}

let settings: BalancerOptions;
let nodes: BackendNode[] = [];
let reporting: NodeJS.Timeout | undefined;

const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);

function accept(client: Socket): void {
  const { remoteAddress, remotePort, localAddress, localPort } = client;
  const healthy = nodes.filter(({ health }) => health.healthy);
  const node = pickByHash(healthy.length > 0 ? healthy : nodes, {
    sourceAddress: remoteAddress ?? '',
    sourcePort: remotePort ?? 0,
    address: localAddress ?? '',
    port: localPort ?? 0,
  });
  if (node === undefined) return void client.destroy();

  let connected = true;
  node.clients++;
  const flow = new Flow(client, {
    port: node.port,
    rtt: () => settings.rttMs,
    frozen: node.blackholed,
    onClientGone: () => {
      if (connected) node.clients--;
      connected = false;
      changed();
    },
    onClosed: () => node.flows.delete(flow),
  });
  node.flows.add(flow);
  changed();
}

/** Reports all nodes to the parent, at most 50 times a second. */
function changed(): void {
  reporting ??= setTimeout(() => {
    reporting = undefined;
    notify(
      'nodes',
      nodes.map(({ id, health, clients }): BalancerNode => ({ id, healthy: health.healthy, flows: clients })),
    );
  }, 20);
}

function find(id: string): BackendNode {
  const node = nodes.find((candidate) => candidate.id === id);
  if (node === undefined) throw new Error(`The balancer knows no node "${id}".`);
  return node;
}

const notify = serveParent({
  start: (options: BalancerOptions) => {
    settings = options;
    return listen(server, options.port);
  },
  setNodes: (list: { id: string; port: number }[]) => {
    nodes = list.map(({ id, port }) => new BackendNode(id, port));
    changed();
  },
  setRtt: (ms: number) => void (settings.rttMs = ms),
  setHealth: (target: HealthTarget) => {
    settings.health = target;
  },
  blackhole: ({ id, on }: { id: string; on: boolean }) => {
    const node = find(id);
    node.blackholed = on;
    for (const flow of node.flows) flow.frozen = on;
  },
  admit: (id: string) => find(id).health.admit(),
});
