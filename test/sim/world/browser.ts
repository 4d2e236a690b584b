import type { SimSocket } from './socket.ts';
import type { World } from './world.ts';

export type EngineName = 'chromium' | 'firefox' | 'webkit';

export const USER_AGENTS: Readonly<Record<EngineName, string>> = {
  chromium: 'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
  firefox: 'Mozilla/5.0 (X11; rv:153.0) Gecko/20100101 Firefox/153.0',
  webkit: 'Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15',
};

/** services/network/websocket_throttler.cc */
const PERIOD_MS = 120_000;
/** network.websocket.timeout.open; Chromium's own is 240 s. */
const OPEN_TIMEOUT_MS = { chromium: 240_000, firefox: 20_000, webkit: Infinity };
/** With so many leaked connections Firefox opens no more WebSockets to a host. */
export const MAX_LEAKS = 6;
/** A gateway closes a connection on which it hears nothing. */
const LEAK_LASTS_MS = 60_000;

interface Handshake {
  readonly socket: SimSocket;
  /** Its turn at this address has come. */
  active: boolean;
  giveUp: () => void;
}

/** What an engine does to WebSocket handshakes behind script's back, for all tabs of one profile. */
export class Browser {
  readonly #world: World;
  readonly #engine: EngineName;
  readonly #handshakes = new Map<SimSocket, Handshake>();
  /** By host: whose turn it is, and who waits. */
  readonly #queues = new Map<string, Handshake[]>();
  /** Chromium: ends of handshakes by renderer. */
  readonly #ends = new Map<number, { at: number; ok: boolean }[]>();
  /** Firefox: by host and path, how often in a row it failed, and until when the next one is held up. */
  readonly #failures = new Map<string, { times: number; until: number }>();
  /** Firefox: leaked connections by host. */
  readonly leaks = new Map<string, number>();

  constructor(world: World, engine: EngineName) {
    this.#world = world;
    this.#engine = engine;
  }

  dial(socket: SimSocket): void {
    const handshake: Handshake = { socket, active: false, giveUp: () => {} };
    this.#handshakes.set(socket, handshake);
    this.#world.clock.after(this.#delay(socket), () => {
      if (this.#handshakes.get(socket) !== handshake) return;
      if (this.#engine === 'webkit') return this.#go(handshake);
      const queue = this.#queues.get(socket.host) ?? [];
      this.#queues.set(socket.host, queue);
      queue.push(handshake);
      this.#turn(socket.host);
    });
  }

  #delay({ tab, host, path }: SimSocket): number {
    const { engineRandom: random, clock } = this.#world;
    const { now } = clock;
    if (this.#engine === 'chromium') {
      const since = (Math.floor(now / PERIOD_MS) - 1) * PERIOD_MS;
      const ends = (this.#ends.get(tab) ?? []).filter(({ at }) => at >= since);
      this.#ends.set(tab, ends);
      const opens = ends.filter(({ ok }) => ok).length;
      const exponent = Math.min(1 + Math.floor((ends.length - opens) / (opens + 1)), 16);
      return ((1_000 + random() * 4_000) * 2 ** exponent) / 65_536;
    }
    if (this.#engine === 'webkit') return 0;
    return Math.max(0, (this.#failures.get(host + path)?.until ?? 0) - now);
  }

  /** WebSocketChannel.cpp, FailDelay: it is forgotten a minute after the penalty is over. */
  #failed({ host, path }: SimSocket): void {
    const { now } = this.#world.clock;
    const { times, until } = this.#failures.get(host + path) ?? { times: 0, until: 0 };
    const again = now > until + 60_000 ? 1 : times + 1;
    const delay = Math.min((200 + this.#world.engineRandom() * 200) * 1.5 ** (again - 1), 60_000);
    this.#failures.set(host + path, { times: again, until: now + delay });
  }

  /** One handshake at a time to an address. */
  #turn(host: string): void {
    const [first] = this.#queues.get(host) ?? [];
    if (!first || first.active) return;
    if ((this.leaks.get(host) ?? 0) >= MAX_LEAKS) return;
    this.#go(first);
  }

  #go(handshake: Handshake): void {
    const { socket } = handshake;
    handshake.active = true;
    handshake.giveUp = this.#world.network.dial(socket.host, socket, (connection) => {
      socket.connection = connection;
    });
    const timeout = OPEN_TIMEOUT_MS[this.#engine];
    if (timeout < Infinity)
      this.#world.clock.after(timeout, () => {
        if (this.#handshakes.get(socket) !== handshake) return;
        this.abandoned(socket);
        socket.ended(1006, '', false);
      });
  }

  /** The handshake is over, well or not. */
  finished(socket: SimSocket, ok: boolean, byScript = false): void {
    const handshake = this.#handshakes.get(socket);
    if (!handshake) return;
    this.#handshakes.delete(socket);
    handshake.giveUp();
    const { tab, host, path } = socket;
    if (this.#engine === 'chromium') this.#ends.get(tab)?.push({ at: this.#world.clock.now, ok });
    if (ok) this.#failures.delete(host + path);
    // Firefox takes a close() before there is a connection for no failure, unless it is the first.
    else if (!byScript || !this.#failures.has(host + path)) this.#failed(socket);
    const queue = this.#queues.get(host);
    const at = queue?.indexOf(handshake) ?? -1;
    if (at >= 0) queue!.splice(at, 1);
    this.#turn(host);
  }

  /** Script has closed it, or the engine lost its patience, while it hung. */
  abandoned(socket: SimSocket): void {
    const { connection, host } = socket;
    if (!this.#handshakes.has(socket)) return;
    if (this.#engine === 'firefox' && connection?.established) {
      const leaks = (this.leaks.get(host) ?? 0) + 1;
      this.leaks.set(host, leaks);
      this.#world.watch.leaked(host, leaks);
      this.#world.clock.after(LEAK_LASTS_MS, () => {
        this.leaks.set(host, this.leaks.get(host)! - 1);
        connection.drop();
        this.#turn(host);
      });
    } else connection?.drop();
    this.finished(socket, false, true);
  }

  /** An open one has ended uncleanly, which Firefox takes for a failure too. */
  dropped(socket: SimSocket): void {
    this.#failed(socket);
  }
}
