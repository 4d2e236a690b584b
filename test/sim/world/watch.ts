import type { ReconnectPolicy } from '../../../src/core/api/reconnect-policy.ts';
import type { SimSocket } from './socket.ts';
import type { Tab } from './tab.ts';

// What the docs promise, in figures of its own: the library's would move with its faults.
const LANES = 3;
const PATIENCE_MS = 60_000;
export const LEAK_MS = 90_000;

/** What must hold of one tab's handshakes, whatever its app is. It stands where the page meets the engine. */
export class Watch {
  readonly #tab: Tab;
  readonly #policy: ReconnectPolicy;
  /** Looks at every frame that the page hands to a socket. */
  readonly sent: (socket: SimSocket, frame: string) => void;
  /** The app has ended the link, or it has given up. */
  over = false;
  readonly #burst: number;
  #tokens: number;
  #at = 0;
  #free = 0;

  constructor(tab: Tab, policy: ReconnectPolicy, sent: Watch['sent']) {
    this.#tab = tab;
    this.#policy = policy;
    this.sent = sent;
    this.#tokens = this.#burst = LANES * policy.fastAttempts;
  }

  /** The app's own `reconnect()` needs no budget. */
  free(): void {
    this.#free += 1;
  }

  dialled(socket: SimSocket): void {
    const { world } = this.#tab;
    if (world.tracing) world.say(`tab ${this.#tab.index}`, `dials ${socket.url} (socket ${socket.id})`);
    if (this.over) world.violated('left', `tab ${this.#tab.index} dials after the end`);
    const pending = this.#tab.sockets.filter(
      (one) => one.host === socket.host && one.readyState === 0 && !one.dead,
    );
    // Firefox keeps handshakes that nobody wants any more: without locks the next one does not wait for them.
    const kept = world.plan.browser.engine === 'firefox' && !world.plan.browser.locks;
    if (pending.length > 0 && !kept)
      world.violated(
        'one-handshake',
        `sockets ${pending[0]!.id} and ${socket.id} both wait for ${socket.host}`,
      );
    if (world.plan.browser.locks) this.#turn(socket);
    if (this.#free > 0) this.#free -= 1;
    else this.#spend('dial');
  }

  /** Across tabs one at a time, in the order of a lock. A tab that was kept from it for very long goes all the same. */
  #turn(socket: SimSocket): void {
    const { world } = this.#tab;
    const { now } = world.clock;
    const mine = world.locks.of(this.#tab, socket.host);
    socket.inTurn = mine.some(({ granted }) => granted);
    const waited = mine.some(({ since }) => now - since >= this.#policy.deadlineCapMs - 1);
    // One that was frozen or asleep may find its turn over.
    if (!socket.inTurn && !waited && !this.#tab.heldUp)
      world.violated('one-handshake', `tab ${this.#tab.index} dials out of its turn (socket ${socket.id})`);
    if (!socket.inTurn) return;
    const other = world.tabs
      .flatMap(({ sockets }) => sockets)
      .find(
        (one) =>
          one.inTurn && one.host === socket.host && one.readyState === 0 && !one.dead && one !== socket,
      );
    if (other && other.page !== this.#tab)
      world.violated(
        'one-handshake',
        `sockets ${other.id} and ${socket.id} of two tabs both wait for ${socket.host}`,
      );
  }

  /** A handshake that hung is given up. */
  abandoned({ id, dialledAt, page }: SimSocket): void {
    const { world } = this.#tab;
    const tookMs = world.clock.now - dialledAt;
    if (page.heldUp) return;
    this.hung(tookMs);
    // Firefox holds a dial up for at most a minute, Chromium for 5 s.
    const added = { firefox: 60_000, chromium: 5_000, webkit: 0 }[world.plan.browser.engine];
    if (tookMs > PATIENCE_MS + added + 1)
      world.violated('patience', `tab ${page.index}: socket ${id} hung for ${Math.round(tookMs)} ms`);
  }

  /** Told of handshakes that were given up. */
  hung: (tookMs: number) => void = () => {};

  /** May it dial as far as the budget goes? */
  get affords(): boolean {
    return this.#left() >= 1;
  }

  #left(): number {
    const { now } = this.#tab.world.clock;
    return Math.min(this.#burst, this.#tokens + ((now - this.#at) * this.#policy.dialsPerMinute) / 60_000);
  }

  fetched(): void {
    this.#spend('probe');
  }

  #spend(what: string): void {
    const { world } = this.#tab;
    const { now } = world.clock;
    this.#tokens = this.#left() - 1;
    this.#at = now;
    // They are decided by the budget, and may go out a little later: one of each kind.
    const { link, net } = world.plan;
    const underWay = 1 + Number(net.addressing === 'list') + Number(link.standby);
    if (this.#tokens < -underWay - 1e-6)
      world.violated(
        'budget',
        `tab ${this.#tab.index}: this ${what} is ${(-this.#tokens).toFixed(1)} over the policy's budget`,
      );
  }

  opened(socket: SimSocket): void {
    const { world } = this.#tab;
    if (world.tracing)
      world.say(
        `tab ${this.#tab.index}`,
        `socket ${socket.id} is open, to node ${socket.connection!.node.name}`,
      );
    if (this.over) world.violated('left', `tab ${this.#tab.index}: socket ${socket.id} opens after the end`);
  }

  ended(socket: SimSocket, code: number): void {
    const { world } = this.#tab;
    if (world.tracing) world.say(`tab ${this.#tab.index}`, `socket ${socket.id} ends with ${code}`);
  }

  /** Some time after the end. */
  left(): void {
    const { index, timers, listeners, sockets, disposed, world } = this.#tab;
    const open = sockets.filter(({ readyState, dead }) => readyState < 2 && !dead);
    const locks = world.locks.of(this.#tab);
    if (timers.size) world.violated('left', `tab ${index}: ${timers.size} timers after the end`);
    if (listeners) world.violated('left', `tab ${index}: ${listeners} listeners after the end`);
    if (open.length)
      world.violated('left', `tab ${index}: socket ${open[0]!.id} is still there after the end`);
    if (locks.length) world.violated('left', `tab ${index}: ${locks.length} locks after the end`);
    if (disposed !== 1)
      world.violated('left', `tab ${index}: the environment was given back ${disposed} times`);
  }
}

/** How long after everything is well a link may take until it is up again. */
export function upWithinMs(policy: ReconnectPolicy, engine: string, tabs: number, spreadMs: number): number {
  const pause = Math.max(policy.capMs, 60_000 / policy.dialsPerMinute, spreadMs);
  // A dial under way may hang until its deadline, which is above what the engine adds (Chromium: at most 5 s).
  const dial = policy.deadlineCapMs + 5_000;
  // Where dials failed fast, or many hung, the one that is under way when all is well may have been given long.
  const patience = Math.max(PATIENCE_MS - policy.deadlineCapMs, 0);
  // What died without a word is noticed by silence.
  const notice = policy.idleQuietMs + policy.replyCapMs;
  const turns = (tabs - 1) * policy.deadlineCapMs;
  // Firefox: connections it has leaked are waited for, then its own patience (20 s) and its penalty (60 s).
  return notice + pause + 2 * dial + patience + turns + (engine === 'firefox' ? LEAK_MS + 80_000 : 0);
}
