import type { Connection, Session } from './connection.ts';
import type { World } from './world.ts';

/** What stands before the app, and how it answers an upgrade or a request by itself. */
export type Gateway =
  | { readonly mode: 'normal' }
  /** Answers with this status. */
  | { readonly mode: 'status'; readonly status: number; readonly retryAfter?: number | undefined }
  /** Passes requests on without their Upgrade: the app answers 200. */
  | { readonly mode: 'stripped' };

export interface App {
  /** A new connection; what it says goes through `connection.say`. */
  accept(connection: Connection): Session;
}

const NORMAL: Gateway = { mode: 'normal' };

/** nginx: proxy_read_timeout. */
const GATEWAY_TIMEOUT_MS = 60_000;

/** One machine: a gateway and an app behind it. */
export class Node {
  /** Those it knows. */
  readonly connections = new Set<Connection>();
  /** Every way that was ever taken to it. */
  readonly paths: Connection[] = [];
  gateway: Gateway = NORMAL;
  running = true;
  /** Stopped in its tracks: it takes connections on, and says nothing. */
  hung = false;
  /** Takes upgrades on, and neither hears nor says anything on them, for as long as they last. */
  mute = false;
  /** No packet gets there or away. */
  hole = false;
  /** The machine is off: its peers are told so at once. */
  off = false;
  draining = false;
  slowMs = 0;
  /** Upgrades it takes in a second, and how many may wait for that. */
  capacity: { readonly perSecond: number; readonly queue: number } | undefined;
  /** What came in while it hung. */
  backlog: (() => void)[] = [];
  #busyUntil = 0;
  #waiting = 0;

  constructor(
    readonly world: World,
    readonly index: number,
    readonly name: string,
    readonly app: App,
  ) {}

  /** As a health check sees it that asks the app, or only what stands before it. */
  healthy(sees: 'app' | 'gateway'): boolean {
    const reached = !this.hole && !this.off;
    if (sees === 'gateway') return reached;
    return reached && this.running && !this.hung && !this.draining && this.gateway.mode !== 'status';
  }

  get well(): boolean {
    return this.healthy('app') && !this.mute && this.gateway.mode === 'normal';
  }

  /** Status of an HTTP answer; undefined: the WebSocket opens, or waits for the app. */
  status(upgrade: boolean): { status: number; retryAfter?: number | undefined } | undefined {
    if (this.gateway.mode === 'status') return this.gateway;
    if (!this.running) return { status: 502 };
    if (this.draining) return { status: 503, retryAfter: 1 };
    if (this.gateway.mode === 'stripped') return { status: 200 };
    return upgrade ? undefined : { status: 426 };
  }

  /** An upgrade has arrived. */
  upgrade(connection: Connection): void {
    const { world } = this;
    this.connections.add(connection);
    const refuse = () => connection.end(1006);
    if (this.status(true)) return refuse();
    let readyAt = world.clock.now + this.slowMs;
    if (this.capacity) {
      if (this.#waiting >= this.capacity.queue) return refuse();
      this.#busyUntil = Math.max(this.#busyUntil, world.clock.now) + 1_000 / this.capacity.perSecond;
      readyAt += this.#busyUntil - world.clock.now;
    }
    this.#waiting += 1;
    world.clock.at(readyAt, () => {
      this.#waiting -= 1;
      this.#whenAwake(() => this.#open(connection));
    });
    world.clock.after(GATEWAY_TIMEOUT_MS, () => {
      if (!connection.session) refuse();
    });
  }

  #whenAwake(run: () => void): void {
    if (this.hung) this.backlog.push(run);
    else run();
  }

  #open(connection: Connection): void {
    // Even one that was abandoned has cost its place in the queue.
    if (connection.over) return;
    if (this.status(true)) return connection.end(1006);
    connection.down.push(() => connection.client.opened());
    connection.mute = this.mute;
    connection.session = this.app.accept(connection);
  }

  silence(): void {
    this.mute = true;
    for (const connection of this.connections) connection.mute = true;
  }

  // ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────

  crash(): void {
    this.running = false;
    this.hung = false;
    this.backlog = [];
    this.endAll(1006);
  }

  start(): void {
    this.running = true;
    this.draining = false;
    this.resume();
  }

  resume(): void {
    if (!this.hung) return;
    this.hung = false;
    for (const run of this.backlog.splice(0)) run();
  }

  /** Tells its clients, takes no new ones, and closes those that are left when their time is over. */
  drain(afterMs: number, spreadMs: number): void {
    if (!this.running || this.hung) return;
    this.draining = true;
    const notice = JSON.stringify({ msg: 'drain', afterMs, spreadMs });
    for (const connection of this.connections) if (connection.session) connection.say(notice);
    this.world.clock.after(afterMs, () => {
      if (this.draining) this.endAll(1012);
    });
  }

  vanish(): void {
    this.hole = true;
    for (const path of this.paths) path.stall(Infinity);
  }

  /** Reached again. `forgets`: what stood before is known to nobody any more. */
  appear(forgets: 'resets' | 'silent' | undefined): void {
    if (!this.hole) return;
    this.hole = false;
    for (const path of this.paths) {
      if (forgets) path.forget(forgets);
      else path.release();
    }
  }

  endAll(code: number, reason = ''): void {
    for (const connection of [...this.connections]) connection.end(code, reason);
  }

  /** Everything is well again. */
  heal(): void {
    this.gateway = NORMAL;
    this.capacity = undefined;
    this.slowMs = 0;
    this.mute = false;
    this.off = false;
    this.appear(undefined);
    this.start();
  }
}
