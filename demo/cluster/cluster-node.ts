import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { GatewayOptions } from '../net/gateway.ts';
import { checkHealth } from '../net/health.ts';
import { reserve, type ReservedPort } from '../net/ports.ts';
import type { NodeOptions } from '../node/main.ts';
import { Child } from '../processes/child.ts';
import { ClusterError, type AppStatus, type Fault, type NodeId } from './api.ts';

/** What a draining node announces to its clients: when it closes the rest, and over how long they spread their moves. */
const drainDefaults: NodeOptions['drain'] = { afterMs: 2000, spreadMs: 1000 };
/** A process that ignores SIGTERM for this long is killed. A healthy one needs a fraction of it. */
const stopGraceMs = 3000;
const startTimeoutMs = 20_000;

type AppOptions = Omit<NodeOptions, 'id' | 'port' | 'drain'>;

/** What the balancer can do for a node. */
export interface NodeNetwork {
  blackhole(id: NodeId, on: boolean): Promise<void>;
  /** Puts an ejected node back into service. */
  admit(id: NodeId): Promise<void>;
}

/** One node of the cluster, seen by the parent: the process of its gateway, the process of its app, and the faults of both. */
export class ClusterNode {
  readonly id: NodeId;
  readonly #gateway: Child;
  readonly #network: NodeNetwork;
  readonly #appOptions: AppOptions;
  readonly #quiet: boolean;
  readonly #onChange: () => void;
  #app: Child | undefined;
  /** Held while the app is stopped, too: the gateway must not reach another program there. */
  readonly #appPort: ReservedPort;
  #gatewayPort = 0;
  #status: AppStatus = 'stopped';
  #blackholed = false;
  #ended = false;
  /** The last order. Orders run one after the other. */
  #lastOrder: Promise<unknown> = Promise.resolve();

  /** Starts both processes; resolves when the app serves through the gateway. */
  static async start(
    id: NodeId,
    appOptions: AppOptions,
    { gatewayTimeoutMs, quiet }: { gatewayTimeoutMs: number; quiet: boolean },
    network: NodeNetwork,
    onChange: () => void,
  ): Promise<ClusterNode> {
    const appPort = await reserve();
    const gateway = await Child.start('gateway', `gateway ${id}`, { quiet });
    const node = new ClusterNode(id, appPort, gateway, appOptions, quiet, network, onChange);
    try {
      await node.#startApp();
      const options: GatewayOptions = { port: 0, appPort: node.#appPort.port, timeoutMs: gatewayTimeoutMs };
      node.#gatewayPort = await gateway.call<number>('start', options);
      return node;
    } catch (error) {
      await node.end();
      throw error;
    }
  }

  private constructor(
    id: NodeId,
    appPort: ReservedPort,
    gateway: Child,
    appOptions: AppOptions,
    quiet: boolean,
    network: NodeNetwork,
    onChange: () => void,
  ) {
    this.id = id;
    this.#appPort = appPort;
    this.#quiet = quiet;
    this.#gateway = gateway;
    this.#appOptions = appOptions;
    this.#network = network;
    this.#onChange = onChange;
  }

  get status(): AppStatus {
    return this.#status;
  }

  get blackholed(): boolean {
    return this.#blackholed;
  }

  /** Port of the gateway. */
  get port(): number {
    return this.#gatewayPort;
  }

  /** Process id of the app, while it runs. */
  get pid(): number | undefined {
    return this.#app?.pid;
  }

  /** As `Cluster.apply`. */
  apply(fault: Fault): Promise<{ at: number }> {
    return this.#enqueue(() => this.#apply(fault));
  }

  /** Replaces the app with a new, healthy one. */
  renew(): Promise<void> {
    return this.#enqueue(async () => {
      await this.#app?.end();
      await this.#repair();
    });
  }

  /** Empties the shared state, through this node. */
  clearStore(): Promise<void> {
    return this.#enqueue(() => this.#requireProcess('clear').call('clear'));
  }

  /** Kills both processes; an order that is still running fails. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all([this.#app?.end(), this.#gateway.end()]);
    // The running order may have started an app in the meantime.
    await this.#lastOrder;
    await this.#app?.end();
    this.#appPort.release();
  }

  #requireNotEnded(): void {
    if (this.#ended)
      throw new ClusterError('state', `Node ${this.id} has ended with its cluster and takes no orders.`);
  }

  #enqueue<T>(order: () => Promise<T>): Promise<T> {
    const done = this.#lastOrder.then(() => {
      this.#requireNotEnded();
      return order();
    });
    this.#lastOrder = done.catch(() => {});
    return done;
  }

  async #apply(fault: Fault): Promise<{ at: number }> {
    switch (fault) {
      case 'stop':
        return this.#stop();
      case 'kill':
        return this.#signal(this.#requireProcess(fault), 'SIGKILL');
      case 'hang':
        return this.#hang();
      case 'blackhole': {
        const at = now();
        await this.#setBlackholed(true);
        return { at };
      }
      case 'drain': {
        const app = this.#requireRunning(fault);
        const at = now();
        this.#setStatus('draining');
        await app.call('drain').catch((error: unknown) => {
          // Without clients the process may exit before it can answer.
          if (app.running) throw error;
        });
        return { at };
      }
      case 'restart': {
        const at = now();
        if (this.#status === 'running' && !this.#blackholed) await this.#stop();
        await this.#repair();
        return { at };
      }
      default:
        throw new ClusterError(
          'value',
          `fault must be stop, kill, hang, blackhole, drain or restart, not ${JSON.stringify(fault satisfies never)}`,
        );
    }
  }

  async #stop(): Promise<{ at: number }> {
    const app = this.#requireProcess('stop');
    // A process stopped by SIGSTOP does not act on SIGTERM, so only SIGKILL ends it.
    if (this.#status === 'hung') return this.#signal(app, 'SIGKILL');
    const killer = setTimeout(() => app.signal('SIGKILL'), stopGraceMs);
    const stopped = await this.#signal(app, 'SIGTERM');
    clearTimeout(killer);
    return stopped;
  }

  async #hang(): Promise<{ at: number }> {
    const app = this.#requireRunning('hang');
    const pid = app.pid as number;
    // Before the signal: if this parent dies, the gateway must know which hung process to kill.
    await this.#gateway.call('hung', pid);
    const at = now();
    app.signal('SIGSTOP');
    while (app.running && !(await isStopped(pid)));
    this.#setStatus('hung');
    return { at };
  }

  /** Repairs the app and its network, whatever is wrong with them. */
  async #repair(): Promise<void> {
    if (this.#status === 'hung' && this.#app?.running) {
      this.#app.signal('SIGCONT');
      this.#setStatus('running');
    }
    await this.#gateway.call('hung', null);
    if (this.#status === 'draining') await this.#app?.end();
    if (!this.#app?.running) await this.#startApp();
    const deadline = now() + startTimeoutMs;
    while (!(await checkHealth(this.#gatewayPort, 'app', startTimeoutMs))) {
      this.#requireNotEnded();
      if (now() > deadline)
        throw new ClusterError(
          'state',
          `Node ${this.id} did not answer /up within ${startTimeoutMs / 1000} s after its start. Look above for what it printed.`,
        );
    }
    await this.#setBlackholed(false);
    await this.#network.admit(this.id);
  }

  async #startApp(): Promise<void> {
    this.#requireNotEnded();
    this.#setStatus('starting');
    const app = await Child.start('node', `node ${this.id}`, { quiet: this.#quiet });
    this.#app = app;
    this.#onChange();
    void app.exited.then(() => {
      if (this.#app !== app) return;
      this.#app = undefined;
      this.#setStatus('stopped');
    });
    const options: NodeOptions = {
      ...this.#appOptions,
      id: this.id,
      port: this.#appPort.port,
      drain: drainDefaults,
    };
    await app.call('start', options);
    this.#setStatus('running');
  }

  async #setBlackholed(on: boolean): Promise<void> {
    if (this.#blackholed === on) return;
    await this.#network.blackhole(this.id, on);
    this.#blackholed = on;
    this.#onChange();
  }

  async #signal(app: Child, signal: NodeJS.Signals): Promise<{ at: number }> {
    const at = now();
    app.signal(signal);
    await app.exited;
    return { at };
  }

  /** @returns the app's process, hung or not */
  #requireProcess(order: string): Child {
    if (this.#app?.running) return this.#app;
    throw this.#stateError(order);
  }

  /** @returns the app's process, able to act */
  #requireRunning(order: string): Child {
    if (this.#status === 'running' && this.#app) return this.#app;
    throw this.#stateError(order);
  }

  #stateError(order: string): ClusterError {
    return new ClusterError(
      'state',
      `Cannot ${order} node ${this.id}: its app is ${this.#status}. Restart the node first.`,
    );
  }

  #setStatus(status: AppStatus): void {
    this.#status = status;
    this.#onChange();
  }
}

const now = (): number => performance.timeOrigin + performance.now();

/** True when the kernel has stopped the process. Without /proc (macOS) the delivery of the signal must suffice. */
async function isStopped(pid: number): Promise<boolean> {
  if (!existsSync('/proc/self/stat')) return true;
  // "pid (name) state …" (proc_pid_stat(5)); the name may contain brackets itself.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')')).startsWith(') T');
}
