/** What a cluster offers and what it says of itself. The control room sends the state as JSON. */
import type { HealthTarget } from '../net/health.ts';

export type NodeId = 'a' | 'b';
export const nodeIds: readonly NodeId[] = ['a', 'b'];

export type Fault = 'stop' | 'kill' | 'hang' | 'blackhole' | 'drain' | 'restart';
export const faults: readonly Fault[] = ['stop', 'kill', 'hang', 'blackhole', 'drain', 'restart'];

export interface ClusterOptions {
  /** Port of the balancer, 0 to 65534; the control room takes the next one. 0 picks two free ports. @default 0 */
  port?: number;
  /** Round-trip time added between clients and nodes, in ms, 0 to 2000. @default 0 */
  rttMs?: number;
  /** What the balancer's health check asks. `gateway` keeps a node in service while its app is dead. @default 'gateway' */
  health?: HealthTarget;
  /** Keeps the shared state in this Redis instead of the embedded store. */
  redisUrl?: string;
  /** Time between two health checks of a node, in ms, 50 to 3 600 000. @default 5000 */
  healthIntervalMs?: number;
  /** How long a gateway waits for a silent app, in ms, 50 to 3 600 000. The default is nginx's. @default 60000 */
  gatewayTimeoutMs?: number;
  /** Discards what the child processes print. @default false */
  quiet?: boolean;
}

export interface Cluster {
  /** Address of the balancer: `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Address of the control room: `http://127.0.0.1:PORT+1`. */
  readonly controlUrl: string;
  /**
   * Breaks a node, or repairs it, and resolves when the fault is in effect:
   *
   * - `stop`, `kill`: the app's process has ended (SIGTERM, SIGKILL)
   * - `hang`: the kernel has stopped the process (SIGSTOP)
   * - `blackhole`: all packets to and from the node vanish
   * - `drain`: the app has announced its end; it exits when its clients have left
   * - `restart`: whatever was wrong is repaired and the app serves through its gateway. A hung process continues where it
   *   was; a healthy node is stopped and started.
   *
   * @returns when the fault was applied, in Unix time (ms, with fractions)
   * @throws ClusterError when the node's state does not allow it, such as hanging a stopped app
   */
  apply(node: NodeId, fault: Fault): Promise<{ at: number }>;
  /**
   * @param ms round-trip time added between clients and nodes, 0 to 2000
   * @throws ClusterError outside that range
   */
  setRtt(ms: number): Promise<void>;
  /** @throws ClusterError unless `asks` is 'gateway' or 'app' */
  setHealth(asks: HealthTarget): Promise<void>;
  state(): Promise<ClusterState>;
  /** Starts over: healthy nodes, no todos, no counters, no clients. Round-trip time and health target stay. */
  reset(): Promise<void>;
  /** Ends all processes, timers and sockets of the cluster. */
  stop(): Promise<void>;
}

export interface ClusterState {
  rttMs: number;
  health: HealthTarget;
  nodes: NodeState[];
  clients: ClientState[];
  /** The latest failovers, oldest first. */
  failovers: FailoverEntry[];
}

export type AppStatus = 'running' | 'stopped' | 'hung' | 'draining' | 'starting';

export interface NodeState {
  id: NodeId;
  app: AppStatus;
  network: 'ok' | 'blackholed';
  /** The balancer's verdict. */
  health: 'healthy' | 'ejected';
  /** Connections through the balancer. */
  flows: number;
  /** Todo pages that this node serves. */
  clients: number;
  /** Process id of the app, while it runs. */
  pid?: number;
  /** Port of the node's gateway. */
  port: number;
}

export interface ClientState extends PageView {
  id: string;
  status: string;
  node?: string;
  rttMs?: number;
  /** Unix time (ms) of the page's last report. */
  lastSeen: number;
}

/** What a todo page says of itself beside its node, for display only. A field the page did not send, or sent wrong, is missing. */
export interface PageView {
  /** The reconnect policy in the page's address. */
  policy?: string;
  /** The page asks for a warm standby. */
  warm?: boolean;
  /** The node its standby is connected to. */
  standby?: string;
  /** Its node has announced its end and still serves the page. */
  leaving?: boolean;
  /** Number of the present or next dial, from 1. */
  attempt?: number;
  /** Unix time (ms) of the next dial. */
  until?: number;
  /** The result of the last probe, in words. */
  probe?: string;
  suspicions?: number;
  /** Replacements that were cancelled because the silent connection answered after all. */
  hedgesCancelled?: number;
}

export interface FailoverEntry {
  clientId: string;
  /** Unix time (ms) at which the report arrived. */
  at: number;
  /** The library's FailoverReport, as the page sent it. */
  report: Record<string, unknown>;
}

/** A bad value, an order the node's state does not allow, a port in use, or a part that cannot start. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  constructor(
    readonly kind: 'value' | 'state' | 'port' | 'start',
    message: string,
  ) {
    super(message);
  }
}
