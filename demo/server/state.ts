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

/** What a todo page tells of itself beside its node; shown as it comes, nothing counts on it. Missing where the page did not say it, or said nonsense. */
export interface PageView {
  /** The policy in its address. */
  policy?: string;
  /** It was asked to keep a warm standby. */
  warm?: boolean;
  /** The node its standby leads to. */
  standby?: string;
  /** Its node has announced its end; the page is still served by it. */
  leaving?: boolean;
  /** The dial under way or next, from 1. */
  attempt?: number;
  /** When the next dial goes out, Unix time (ms). */
  until?: number;
  /** What the last probe found, in words. */
  probe?: string;
  suspicions?: number;
  /** Replacements that were not needed because the link answered after all. */
  hedgesCancelled?: number;
}

export interface ClientState extends PageView {
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
