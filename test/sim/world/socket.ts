import type { Client, Connection } from './connection.ts';
import type { Tab } from './tab.ts';

interface SocketEvent {
  readonly type: string;
  readonly data?: string;
  readonly origin?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly wasClean?: boolean;
}
type Listener = (event: SocketEvent) => void;

/** A page's WebSocket, as strict as a browser's, without the price of real DOM events. */
export class SimSocket implements Client {
  static readonly CLOSING = 2;
  readyState = 0;
  binaryType = 'blob';
  readonly bufferedAmount = 0;
  readonly extensions = '';
  readonly protocol = '';
  readonly host: string;
  readonly path: string;
  connection: Connection | undefined;
  readonly #listeners: Partial<Record<string, Listener[]>> = {};
  /** The engine has ended it behind the page's back: it goes on looking as it did. */
  dead = false;
  openedAt = Infinity;
  /** The page has heard something on it. */
  heard = false;
  /** It went out while its tab held the lock. */
  inTurn = false;
  readonly dialledAt: number;

  constructor(
    readonly page: Tab,
    readonly id: number,
    readonly url: string,
  ) {
    const { host, pathname } = new URL(url);
    this.host = host;
    this.path = pathname;
    this.dialledAt = page.world.clock.now;
  }

  get tab(): number {
    return this.page.index;
  }

  addEventListener(type: string, listener: Listener): void {
    (this.#listeners[type] ??= []).push(listener);
  }

  removeEventListener(type: string, listener: Listener): void {
    this.#listeners[type] = this.#listeners[type]?.filter((one) => one !== listener);
  }

  #dispatch(event: SocketEvent): void {
    for (const listener of this.#listeners[event.type] ?? []) listener(event);
  }

  send(frame: string): void {
    if (this.readyState === 0) throw new DOMException('still in CONNECTING state', 'InvalidStateError');
    if (this.readyState !== 1) return; // discarded silently, as browsers do
    this.page.watch.sent(this, frame);
    this.connection!.frame(frame);
  }

  close(code = 1005, reason = ''): void {
    if (this.readyState >= 2) return;
    const connecting = this.readyState === 0;
    this.readyState = 2;
    if (!connecting) return this.connection!.close(code, reason);
    this.page.watch.abandoned(this);
    this.page.browser.abandoned(this);
    this.page.world.clock.after(0, () => this.ended(1006, '', false));
  }

  /** Left for good or for the back/forward cache: the page hears no more of it, and believes it is open. */
  kill(): void {
    if (this.readyState === 3) return;
    if (this.readyState === 0) this.page.browser.abandoned(this);
    else this.connection?.drop();
    this.dead = true;
  }

  // ── from the network; a page that is frozen hears of it later ─────────────────────────────────────────────────────

  opened(): void {
    this.page.browser.finished(this, true);
    this.page.deliver(() => {
      if (this.readyState !== 0 || this.dead) return;
      this.readyState = 1;
      this.openedAt = this.page.world.clock.now;
      this.page.watch.opened(this);
      this.#dispatch({ type: 'open' });
    });
  }

  message(frame: string): void {
    this.page.deliver(() => {
      if (this.page.world.tracing) this.page.world.say(`tab ${this.tab}`, `← ${this.id} ${frame}`);
      if (this.readyState !== 1 || this.dead) return;
      this.heard = true;
      this.#dispatch({ type: 'message', data: frame, origin: '' });
    });
  }

  ended(code: number, reason: string, wasClean: boolean): void {
    if (this.readyState === 0) this.page.browser.finished(this, false);
    else if (!wasClean && this.openedAt < Infinity) this.page.browser.dropped(this);
    this.page.deliver(() => {
      if (this.readyState === 3 || this.dead) return;
      this.readyState = 3;
      this.page.watch.ended(this, code);
      if (!wasClean) this.#dispatch({ type: 'error' });
      this.#dispatch({ type: 'close', code, reason, wasClean });
    });
  }
}
