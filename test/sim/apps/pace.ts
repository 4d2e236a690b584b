import type { Status } from '../../../src/core/api/events.ts';
import type { Plan, Step } from '../plan.ts';
import { LEAK_MS } from '../world/watch.ts';
import { spreadsOf, type Page } from './page.ts';

// What the docs promise, in figures of its own.
const ALONE_WAITS_MS = 20;
const LANE = 8;
const FLAT = 6;

/** In such a world every dial of an outage fails in the same way, and nobody asks for more time. */
const SAME: readonly Step['do'][] = [
  ...(['crash', 'start', 'hang', 'resume', 'vanish', 'appear', 'mute', 'off', 'misjudge'] as const),
  ...(['send', 'set', 'delete', 'sub', 'stop', 'call', 'login', 'logout', 'write'] as const),
];

const simple = ({ browser, link, net, server, steps }: Plan): boolean =>
  browser.tabs === 1 &&
  browser.engine !== 'firefox' &&
  link.provider === 'none' &&
  link.fastAttempts === undefined &&
  !link.standby &&
  net.loss === 0 &&
  server.spreadMs === 0 &&
  steps.every(({ do: what }) => SAME.includes(what));

/** One node goes, and says so in time. */
const announced = ({ steps, link, net }: Plan): boolean => {
  const drains = steps.filter((step) => step.do === 'drain');
  return (
    drains.length === 1 &&
    drains[0]!.afterMs >= 3_000 &&
    drains[0]!.spreadMs <= 1_000 &&
    net.loss === 0 &&
    net.rttMs <= 80 &&
    link.provider === 'none' &&
    steps.every(
      ({ do: what }) => what === 'drain' || what === 'write' || SAME.indexOf(what) > SAME.indexOf('misjudge'),
    )
  );
};

/** How quickly a link of a lone user acts, beside what a crowd or a server may ask of it. */
export class Pace {
  readonly #page: Page;
  readonly #simple: boolean;
  readonly #announced: boolean;
  readonly #longestMs: number;
  /** Of this outage. */
  #refused = 0;
  #hung = 0;
  /** Some dial has failed. */
  #failed = false;

  constructor(page: Page) {
    const { plan } = page.world;
    const { capMs, dialsPerMinute } = page.policy;
    this.#page = page;
    this.#simple = simple(plan);
    this.#announced = announced(plan);
    const leaks = plan.browser.engine === 'firefox' ? LEAK_MS : 0;
    this.#longestMs = Math.max(capMs, 60_000 / dialsPerMinute, spreadsOf(plan), leaks);
    page.watch.hung = (tookMs) => this.#abandoned(tookMs);
  }

  /** All that happens is that one node goes, says so in time, and another is at hand. */
  get announced(): boolean {
    return this.#announced && !this.#failed;
  }

  attempt(outcome: string): void {
    if (outcome === 'timeout') this.#hung += 1;
    else if (outcome !== 'open') this.#refused += 1;
    this.#failed ||= outcome !== 'open';
  }

  status(status: Status): void {
    const { world, watch, tab } = this.#page;
    if (status.name === 'online') this.#hung = this.#refused = 0;
    if (status.name !== 'waiting') return;
    const waits = status.until - tab.env.timeOrigin - world.clock.now;
    if (waits > this.#longestMs + 1)
      this.#page.violated('pace', `the next dial goes out in ${Math.round(waits)} ms`);
    const lane = status.attempt <= LANE || this.#refused === 0;
    const mixed = this.#refused > 0 && this.#hung > 0;
    if (this.#simple && lane && !mixed && watch.affords && waits > ALONE_WAITS_MS + 1)
      this.#page.violated('pace', `alone, dial ${status.attempt} waits for ${Math.round(waits)} ms`);
  }

  #abandoned(tookMs: number): void {
    const { world, policy } = this.#page;
    if (!this.#simple || this.#refused > 0 || this.#hung >= FLAT) return;
    const { rttMs } = world.plan.net;
    // Before anything is known about four round trips on a slow link; then what connecting has cost.
    const short = Math.max(5 * policy.deadlineFloorMs, 40 * rttMs);
    const added = world.plan.browser.engine === 'chromium' ? 5_000 : 0;
    if (tookMs > short + added)
      this.#page.violated('pace', `alone, a dial hangs for ${Math.round(tookMs)} ms, after ${this.#hung}`);
  }

  suspect(silentMs: number): void {
    const { world, tab, policy } = this.#page;
    const { idleQuietMs, replyCapMs } = policy;
    if (world.plan.link.heartbeat !== 'active' || tab.heldUp) return;
    // One that was never heard has the patience of its dial.
    const open = tab.sockets.filter(({ readyState }) => readyState === 1);
    if (silentMs > idleQuietMs + replyCapMs + 1 && open.every(({ heard }) => heard))
      this.#page.violated('notice', `nothing was heard for ${Math.round(silentMs)} ms`);
  }

  down(): void {
    // A balancer may not know yet that the node takes no more.
    if (this.announced) this.#page.violated('drain', 'down, though the node said in time that it goes');
  }
}
