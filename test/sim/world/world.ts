import { Browser } from './browser.ts';
import { Clock } from './clock.ts';
import { Locks } from './locks.ts';
import { Network } from './network.ts';
import { Node, type App } from './node.ts';
import type { Plan } from '../plan.ts';
import type { Random } from '../../support/random.ts';
import { stream } from './random.ts';
import { Tab } from './tab.ts';
import { MAX_LEAKS } from './browser.ts';

/** A rule that did not hold. */
export interface Violation {
  readonly rule: string;
  readonly text: string;
  readonly at: number;
}

const NODE_NAMES = ['a', 'b', 'c'];

/** Everything outside of the library, for one seed. */
export class World {
  readonly clock = new Clock();
  readonly nodes: readonly Node[];
  readonly network: Network;
  readonly browser: Browser;
  readonly locks: Locks;
  readonly tabs: readonly Tab[];
  readonly engineRandom: Random;
  /** What a balancer hashes. */
  readonly tuples: Random;
  /** Sockets ever made. */
  sockets = 0;
  /** The lowest number that is still taken for a token. */
  goodToken = 0;
  /** Plain: by tab, what it sent and some node got. */
  readonly arrived: Set<number>[] = [];
  violation: Violation | undefined;
  readonly lines: string[] = [];
  readonly storage: Pick<Storage, 'getItem' | 'setItem'>;
  readonly #latencies: Random;

  constructor(
    readonly plan: Plan,
    app: (world: World, name: string) => App,
    readonly tracing: boolean,
  ) {
    const { seed, net, browser } = plan;
    this.engineRandom = stream(seed, 'engine');
    this.tuples = stream(seed, 'tuples');
    this.#latencies = stream(seed, 'latency');
    this.nodes = NODE_NAMES.slice(0, net.nodes).map((name, i) => new Node(this, i, name, app(this, name)));
    this.network = new Network(this);
    this.browser = new Browser(this, browser.engine);
    this.locks = new Locks(this);
    const stored = new Map<string, string>();
    this.storage = {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => void stored.set(key, value),
    };
    this.tabs = Array.from({ length: browser.tabs }, (_, i) => new Tab(this, i));
  }

  get rttMs(): number {
    return this.plan.net.rttMs;
  }

  /** One way, this time. */
  latency(): number {
    const { rttMs, jitter, loss } = this.plan.net;
    const random = this.#latencies();
    const usual = (rttMs / 2) * (1 + jitter * random);
    // A packet that was lost is sent again when its timeout is over (RFC 6298: the round trip and some, at least 200 ms).
    return random < loss ? usual + Math.max(200, 2 * rttMs) : usual;
  }

  /** Only the first counts: what follows may follow from it. */
  violated(rule: string, text: string): void {
    if (this.tracing && !this.violation) this.say('VIOLATED', `${rule}: ${text}`);
    this.violation ??= { rule, text, at: this.clock.now };
  }

  say(who: string, text: string): void {
    this.lines.push(`${this.clock.now.toFixed(1).padStart(9)}  ${who.padEnd(9)} ${text}`);
  }

  readonly watch = {
    leaked: (host: string, leaks: number) => {
      const { tabs, locks, storage } = this.plan.browser;
      // Tabs that share nothing cannot count together.
      const alone = tabs === 1 || (locks && storage);
      if (leaks >= MAX_LEAKS && alone)
        this.violated('leaks', `${leaks} connections to ${host} leaked: Firefox dials no more`);
    },
  };

  /** Lets time pass, until then or until a rule is broken. */
  run(until: number): void {
    while (!this.violation) {
      const task = this.clock.next(until);
      if (!task) return;
      task();
    }
  }
}
