import type { Tab } from './tab.ts';
import type { World } from './world.ts';

interface Waiter {
  readonly tab: Tab;
  readonly since: number;
  granted: boolean;
  grant(): void;
}

/** The browser process answers a page's question for a lock about so late. */
const IPC_MS = 1;

/** The Web Locks of an origin: exclusive ones, first come, first served; `signal` ends a wait. */
export class Locks {
  readonly #world: World;
  readonly #queues = new Map<string, Waiter[]>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Held or waited for, by this tab; of one host, or of all. */
  of(tab: Tab, host = ''): readonly Pick<Waiter, 'granted' | 'since'>[] {
    const queues = [...this.#queues].filter(([name]) => name.endsWith(host));
    return queues.flatMap(([, queue]) => queue).filter((waiter) => waiter.tab === tab);
  }

  /** As `navigator.locks` of this tab. */
  for(tab: Tab): Pick<LockManager, 'request'> {
    const request = <T>(name: string, options: LockOptions, callback: LockGrantedCallback<T>) =>
      this.#request(tab, name, options, callback);
    return { request: request as LockManager['request'] };
  }

  #request<T>(tab: Tab, name: string, { signal }: LockOptions, callback: LockGrantedCallback<T>) {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const queue = this.#queues.get(name) ?? [];
    this.#queues.set(name, queue);
    return new Promise<unknown>((resolve, reject) => {
      const leave = () => {
        const first = queue[0] === waiter;
        queue.splice(queue.indexOf(waiter), 1);
        if (first) this.#turn(queue);
      };
      const waiter: Waiter = {
        tab,
        since: this.#world.clock.now,
        granted: false,
        grant() {
          waiter.granted = true;
          void Promise.resolve(callback({ name, mode: 'exclusive' }))
            .then(resolve, reject)
            .finally(leave);
        },
      };
      signal?.addEventListener('abort', () => {
        if (waiter.granted || !queue.includes(waiter)) return;
        leave();
        reject(signal.reason as Error);
      });
      if (queue.push(waiter) === 1) this.#turn(queue);
    });
  }

  #turn(queue: Waiter[]): void {
    const [first] = queue;
    if (!first) return;
    this.#world.clock.after(IPC_MS, () =>
      first.tab.deliver(() => {
        if (queue[0] === first && !first.granted) first.grant();
      }),
    );
  }
}
