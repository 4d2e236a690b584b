import type { Env, PageEvent } from '../../../src/core/env/env.ts';
import { USER_AGENTS, type Browser } from './browser.ts';
import type { Task } from './clock.ts';
import { here } from './here.ts';
import { drainMicrotasks } from './microtasks.ts';
import { stream } from './random.ts';
import { SimSocket } from './socket.ts';
import type { Watch } from './watch.ts';
import type { World } from './world.ts';

/** Without a Worker engines let a hidden page's timers fire once a second. */
const HIDDEN_TICK_MS = 1_000;

/** One page of the origin: what it sees of the world, and when its code may run. */
export class Tab {
  readonly env: Env;
  readonly sockets: SimSocket[] = [];
  readonly timers = new Set<Task>();
  /** What checks it; set by the app that runs in it. */
  watch!: Watch;
  /** What the browser says of the network. */
  online = true;
  visible = true;
  /** No packet leaves the device. */
  cutOff = false;
  /** Its timers may have fired late: it was frozen, or hidden without a Worker. */
  heldUp = false;
  /** How often the environment was given back. */
  disposed = 0;
  readonly #listeners = new Map<PageEvent, Set<() => void>>();
  #frozen = 0;
  #deferred: (() => void)[] = [];
  /** What it is told when it wakes up. */
  readonly #waking = new Set<PageEvent>();

  constructor(
    readonly world: World,
    readonly index: number,
  ) {
    this.env = this.#makeEnv();
  }

  get browser(): Browser {
    return this.world.browser;
  }

  get frozen(): boolean {
    return this.#frozen > 0;
  }

  get listeners(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Runs code of the page, and everything its promises have queued; a frozen page runs it when it is not any more. */
  deliver(run: () => void): void {
    if (this.#frozen) this.#deferred.push(run);
    else this.#run(run);
  }

  #run(run: () => void): void {
    const before = here.tab;
    here.tab = this;
    try {
      run();
      drainMicrotasks();
    } catch (error) {
      this.world.violated('uncaught', String((error as Error).stack ?? error));
    } finally {
      here.tab = before;
    }
  }

  page(event: PageEvent): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) this.deliver(listener);
  }

  // ── what happens to it ────────────────────────────────────────────────────────────────────────────────────────────

  /** Nothing of the page runs for so long; with `event` it is told when it wakes up. */
  freeze(ms: number, event?: PageEvent): void {
    this.#frozen += 1;
    this.heldUp = true;
    if (event) this.#waking.add(event);
    this.world.clock.after(ms, () => {
      this.#frozen -= 1;
      if (this.#frozen) return;
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const run of deferred) this.deliver(run);
      for (const event of [...this.#waking]) this.page(event);
      this.#waking.clear();
    });
  }

  show(visible: boolean): void {
    if (this.visible === visible) return;
    this.visible = visible;
    if (visible) this.page('visible');
  }

  /** Left for the back/forward cache, and restored. Engines end its sockets, which go on looking open. */
  leave(ms: number): void {
    if (this.#frozen) return;
    this.page('hide');
    for (const socket of this.sockets) if (socket.readyState < 2) socket.kill();
    this.freeze(ms, 'restored');
  }

  setOnline(online: boolean): void {
    if (this.online === online) return;
    this.online = online;
    this.cutOff = !online;
    for (const { connection } of this.sockets) {
      if (online) connection?.release();
      else connection?.stall(Infinity);
    }
    this.page(online ? 'online' : 'offline');
  }

  /** Another network: whatever stood is gone without a word. */
  roam(): void {
    for (const { connection } of this.sockets)
      if (connection && !connection.over) connection.forget('silent');
  }

  // ── what it sees ──────────────────────────────────────────────────────────────────────────────────────────────────

  #setTimeout(run: () => void, ms: number): Task {
    const { clock, plan } = this.world;
    let at = clock.now + Math.max(0, ms);
    if (!this.visible && !plan.browser.worker) {
      at = Math.ceil(at / HIDDEN_TICK_MS) * HIDDEN_TICK_MS;
      this.heldUp = true;
    }
    const task = clock.at(at, () =>
      this.deliver(() => {
        // Cleared while the page was frozen.
        if (this.timers.delete(task)) run();
      }),
    );
    this.timers.add(task);
    return task;
  }

  #dial(url: string): SimSocket {
    const socket = new SimSocket(this, this.world.sockets++, url);
    this.watch.dialled(socket);
    this.sockets.push(socket);
    this.browser.dial(socket);
    return socket;
  }

  #makeEnv(): Env {
    const { world } = this;
    const { clock, plan } = world;
    const random = stream(plan.seed, `page ${this.index}`);
    const dial = (url: string) => this.#dial(url);
    return {
      now: () => clock.now,
      timeOrigin: 1_000_000,
      setTimeout: (run, ms) => this.#setTimeout(run, ms),
      clearTimeout: (timer) => {
        if (timer && this.timers.delete(timer as Task)) (timer as Task).run = undefined;
      },
      random,
      // Called with `new`: what it returns is the socket.
      WebSocket: function (this: unknown, url: string) {
        return dial(url);
      } as never,
      fetch: ((url: string, init: RequestInit) => this.#fetch(url, init)) as typeof fetch,
      page: {
        online: () => this.online,
        visible: () => this.visible,
        on: (event, listener) => {
          const listeners = this.#listeners.get(event) ?? new Set();
          this.#listeners.set(event, listeners.add(listener));
          return () => void listeners.delete(listener);
        },
      },
      subtle: undefined,
      locks: plan.browser.locks ? world.locks.for(this) : undefined,
      storage: plan.browser.storage ? world.storage : undefined,
      userAgent: USER_AGENTS[plan.browser.engine],
      baseUrl: 'https://app.example/',
      measure() {},
      reportError: (error) => world.violated('uncaught', String((error as Error).stack ?? error)),
      dispose: () => void (this.disposed += 1),
    };
  }

  /** On a connection of its own, so perhaps to another node than a dial. */
  #fetch(url: string, { signal }: RequestInit): Promise<unknown> {
    const { world } = this;
    this.watch.fetched();
    return new Promise((resolve, reject) => {
      const node = world.network.route(new URL(url).host, world.tuples());
      const later = (run: () => void) => world.clock.after(2 * world.rttMs, () => this.deliver(run));
      signal!.addEventListener('abort', () => reject(signal!.reason as Error));
      if (this.cutOff || node.off) later(() => reject(new TypeError('fetch failed')));
      else if (!node.hole && !(node.hung && node.gateway.mode === 'normal')) {
        const { status, retryAfter } = node.status(false)!;
        const headers = new Headers(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) });
        later(() => resolve({ status, headers, type: 'basic', url: '', body: null }));
      }
    });
  }
}
