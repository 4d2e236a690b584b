/** What a cluster tells of itself; the control room sends it as JSON. */
import type { HealthTarget } from '../net/health.ts';

export type NodeId = 'a' | 'b';
export const nodeIds: readonly NodeId[] = ['a', 'b'];

export type Fault = 'stop' | 'kill' | 'hang' | 'blackhole' | 'drain' | 'restart';
export const faults: readonly Fault[] = ['stop', 'kill', 'hang', 'blackhole', 'drain', 'restart'];

export type AppStatus = 'running' | 'stopped' | 'hung' | 'draining' | 'starting';

export interface NodeState {
  id: NodeId;
  app: AppStatus;
  network: 'ok' | 'blackholed';
  /** The balancer's verdict. */
  health: 'healthy' | 'ejected';
  /** Connections through the balancer. */
  flows: number;
  /** Todo pages served by it. */
  clients: number;
  /** The app's process. */
  pid?: number;
  /** Of its gateway. */
  port: number;
}

export interface ClientState {
  id: string;
  status: string;
  node?: string;
  rttMs?: number;
  /** Epoch ms. */
  lastSeen: number;
}

export interface FailoverEntry {
  clientId: string;
  /** Epoch ms at which the report came in. */
  at: number;
  report: Record<string, unknown>;
}

export interface ClusterState {
  rttMs: number;
  health: HealthTarget;
  nodes: NodeState[];
  clients: ClientState[];
  failovers: FailoverEntry[];
}

/** What the cluster cannot do: take a bad value, bring a fault upon a node that is not in the state for it, start. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  constructor(
    readonly kind: 'value' | 'state' | 'port' | 'start',
    message: string,
  ) {
    super(message);
  }
}
