import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { GatewayOptions } from '../net/gateway.ts';
import { ask } from '../net/health.ts';
import { reserve, type ReservedPort } from '../net/ports.ts';
import type { NodeOptions } from './node.ts';
import { Child } from './processes.ts';
import { ClusterError, type AppStatus, type Fault, type NodeId } from './state.ts';

/** How a node that is drained tells its clients to move. */
const drainDefaults: NodeOptions['drain'] = { afterMs: 2000, spreadMs: 1000 };
/** A process that is asked to stop gets so long before it is killed. Ours need a fraction of it. */
const stopGraceMs = 3000;
const startTimeoutMs = 20_000;

type AppOptions = Omit<NodeOptions, 'id' | 'port' | 'drain'>;

/** What the balancer can do for a node. */
export interface NodeNetwork {
  blackhole(id: NodeId, on: boolean): Promise<void>;
  /** Takes the node in again if it was ejected. */
  admit(id: NodeId): Promise<void>;
}

/** One node of the cluster, seen from outside: its gateway's process, its app's process, and what can befall them. */
export class ClusterNode {
  readonly id: NodeId;
  readonly #gateway: Child;
  readonly #network: NodeNetwork;
  readonly #appOptions: AppOptions;
  readonly #quiet: boolean;
  readonly #onChange: () => void;
  #app: Child | undefined;
  /** The app's, also while it is stopped: its gateway must meet nobody else's there. */
  readonly #appPort: ReservedPort;
  #gatewayPort = 0;
  #status: AppStatus = 'stopped';
  #blackholed = false;
  #ended = false;
  /** Orders are carried out one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

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

  /** Of the gateway. */
  get port(): number {
    return this.#gatewayPort;
  }

  /** Of the app's process. */
  get pid(): number | undefined {
    return this.#app?.pid;
  }

  /** See `Cluster.apply`. */
  apply(fault: Fault): Promise<{ at: number }> {
    return this.#inTurn(() => this.#apply(fault));
  }

  /** A new, healthy app, whatever there was. */
  renew(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#app?.end();
      await this.#repair();
    });
  }

  /** Empties the shared state through this node. */
  clearStore(): Promise<void> {
    return this.#inTurn(() => this.#running('clear').call('clear'));
  }

  /** Ends both processes at once; an order under way fails. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all([this.#app?.end(), this.#gateway.end()]);
    // That order may have been about to start an app.
    await this.#turn;
    await this.#app?.end();
    this.#appPort.release();
  }

  #requireNotEnded(): void {
    if (this.#ended) throw new ClusterError('state', `node ${this.id} has ended`);
  }

  #inTurn<T>(order: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(() => {
      this.#requireNotEnded();
      return order();
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  async #apply(fault: Fault): Promise<{ at: number }> {
    switch (fault) {
      case 'stop':
        return this.#stop();
      case 'kill':
        return this.#signal(this.#running(fault), 'SIGKILL');
      case 'hang':
        return this.#hang();
      case 'blackhole': {
        const at = now();
        await this.#setBlackholed(true);
        return { at };
      }
      case 'drain': {
        const app = this.#responsive(fault);
        const at = now();
        this.#set('draining');
        await app.call('drain').catch((error: unknown) => {
          // Without clients it is gone before it can say that it has begun.
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
        throw new ClusterError('value', `no such fault: ${JSON.stringify(fault satisfies never)}`);
    }
  }

  async #stop(): Promise<{ at: number }> {
    const app = this.#running('stop');
    // A hung process does not hear SIGTERM; whoever stops one ends up killing it.
    if (this.#status === 'hung') return this.#signal(app, 'SIGKILL');
    const killer = setTimeout(() => app.signal('SIGKILL'), stopGraceMs);
    const stopped = await this.#signal(app, 'SIGTERM');
    clearTimeout(killer);
    return stopped;
  }

  async #hang(): Promise<{ at: number }> {
    const app = this.#responsive('hang');
    const pid = app.pid as number;
    // First, so that the gateway can end the process should we be gone before it goes on.
    await this.#gateway.call('hung', pid);
    const at = now();
    app.signal('SIGSTOP');
    while (app.running && !(await isStopped(pid)));
    this.#set('hung');
    return { at };
  }

  /** Undoes whatever is wrong. */
  async #repair(): Promise<void> {
    if (this.#status === 'hung' && this.#app?.running) {
      this.#app.signal('SIGCONT');
      this.#set('running');
    }
    await this.#gateway.call('hung', null);
    if (this.#status === 'draining') await this.#app?.end();
    if (!this.#app?.running) await this.#startApp();
    const deadline = now() + startTimeoutMs;
    while (!(await ask(this.#gatewayPort, 'app', startTimeoutMs))) {
      this.#requireNotEnded();
      if (now() > deadline)
        throw new ClusterError('state', `node ${this.id} did not come up in ${startTimeoutMs} ms`);
    }
    await this.#setBlackholed(false);
    await this.#network.admit(this.id);
  }

  async #startApp(): Promise<void> {
    this.#requireNotEnded();
    this.#set('starting');
    const app = await Child.start('node', `node ${this.id}`, { quiet: this.#quiet });
    this.#app = app;
    this.#onChange();
    void app.exited.then(() => {
      if (this.#app !== app) return;
      this.#app = undefined;
      this.#set('stopped');
    });
    const options: NodeOptions = {
      ...this.#appOptions,
      id: this.id,
      port: this.#appPort.port,
      drain: drainDefaults,
    };
    await app.call('start', options);
    this.#set('running');
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

  #running(fault: string): Child {
    if (this.#app?.running) return this.#app;
    throw new ClusterError('state', `cannot ${fault} node ${this.id}: its app is ${this.#status}`);
  }

  #responsive(fault: string): Child {
    if (this.#status === 'running' && this.#app) return this.#app;
    throw new ClusterError('state', `cannot ${fault} node ${this.id}: its app is ${this.#status}`);
  }

  #set(status: AppStatus): void {
    this.#status = status;
    this.#onChange();
  }
}

const now = (): number => performance.timeOrigin + performance.now();

/** Whether the kernel has stopped a process. Where there is no /proc the signal's delivery has to do. */
async function isStopped(pid: number): Promise<boolean> {
  if (!existsSync('/proc/self/stat')) return true;
  // "pid (name) state …"; the name may itself contain brackets.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')')).startsWith(') T');
}
