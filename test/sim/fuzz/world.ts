/** The outside world of one fuzzed client: a clock of its own, sockets whose other end is played here, and a list of what went wrong. */
import type { Env, PageEvent } from '../../../src/core/env/env.ts';

interface Timer {
  readonly at: number;
  readonly fn: () => void;
}

/** The native socket; what the client sends goes to `world.server`. */
export class FuzzSocket extends EventTarget {
  readyState = 0;
  binaryType: BinaryType = 'blob';
  readonly bufferedAmount = 0;
  readonly extensions = '';
  readonly protocol = '';

  constructor(
    readonly world: FuzzWorld,
    readonly url: string,
  ) {
    super();
    world.sockets.push(this);
    world.dialled(this);
  }

  send(frame: unknown): void {
    if (this.readyState === 1) this.world.server(this, frame);
  }

  close(code = 1005, reason = ''): void {
    if (this.readyState < 2) this.world.env.setTimeout(() => this.end(code, reason), 0);
    this.readyState = Math.max(this.readyState, 2);
  }

  open(): void {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }

  says(data: unknown): void {
    if (this.readyState === 1) this.dispatchEvent(new MessageEvent('message', { data }));
  }

  /** Whatever an engine may say of the end, and what it may not. */
  end(code: unknown = 1006, reason: unknown = '', wasClean: unknown = false): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason, wasClean }));
  }
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const own = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
/** The longest delay that a timer takes; a longer one fires at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export class FuzzWorld {
  now = 0;
  readonly sockets: FuzzSocket[] = [];
  /** What no input may bring about. */
  readonly problems: string[] = [];
  readonly #timers = new Map<number, Timer>();
  #ids = 0;
  readonly #page = new Map<PageEvent, Set<() => void>>();
  /** What becomes of a dial. */
  dialled: (socket: FuzzSocket) => void = (socket) => queueMicrotask(() => socket.open());
  server: (socket: FuzzSocket, frame: unknown) => void = () => {};
  fetchAnswer: (() => Promise<unknown>) | undefined;
  readonly env: Env;

  constructor() {
    const setTimer = (fn: () => void, ms = 0): number => {
      this.#timers.set(++this.#ids, { at: this.now + Math.max(ms, 0), fn });
      return this.#ids;
    };
    const clearTimer = (timer: unknown) => void this.#timers.delete(timer as number);
    // reconnecting-websocket takes the global ones.
    Object.assign(globalThis, { setTimeout: setTimer, clearTimeout: clearTimer });
    const open = (url: string) => new FuzzSocket(this, url);
    this.env = {
      now: () => this.now,
      timeOrigin: 1_700_000_000_000,
      setTimeout: (fn, ms) => {
        if (!(ms >= 0 && ms <= MAX_DELAY_MS)) this.problems.push(`a timer of ${ms} ms`);
        return setTimer(fn, ms);
      },
      clearTimeout: clearTimer,
      random: () => 0.5,
      WebSocket: function (this: unknown, url: string) {
        return open(url);
      } as never,
      fetch: (() => this.fetchAnswer?.() ?? Promise.reject(new TypeError('fetch failed'))) as typeof fetch,
      locks: undefined,
      subtle: undefined,
      storage: undefined,
      userAgent: '',
      baseUrl: 'https://app.example/',
      measure() {},
      reportError: (error) => this.problems.push(`reported: ${String(error)}`),
      page: {
        online: () => true,
        visible: () => true,
        on: (event, fn) => {
          if (!this.#page.has(event)) this.#page.set(event, new Set());
          this.#page.get(event)!.add(fn);
          return () => void this.#page.get(event)!.delete(fn);
        },
      },
    };
  }

  get last(): FuzzSocket | undefined {
    return this.sockets.at(-1);
  }

  /** Lets time pass, timer by timer, until the condition holds. Says whether it did. */
  async until(holds: () => boolean, ms = 120_000): Promise<boolean> {
    const end = this.now + ms;
    for (;;) {
      await tick();
      if (holds()) return true;
      let next: readonly [number, Timer] | undefined;
      for (const entry of this.#timers) if (!next || entry[1].at < next[1].at) next = entry;
      if (!next || next[1].at > end) return false;
      this.#timers.delete(next[0]);
      this.now = Math.max(this.now, next[1].at);
      next[1].fn();
    }
  }

  /** Once closed, nothing is left but what RWS sets for a day that never comes. */
  left(): number {
    let short = 0;
    for (const { at } of this.#timers.values()) if (at - this.now < MAX_DELAY_MS / 2) short += 1;
    const listeners = [...this.#page.values()].reduce((sum, { size }) => sum + size, 0);
    return short + listeners + this.sockets.filter(({ readyState }) => readyState < 2).length;
  }

  dispose(): void {
    Object.assign(globalThis, own);
  }
}

/** What lies on the prototypes that every object shares; it must stay. */
const shared = [Object, Array, Function, String, Number, Boolean, Map, Set, Promise, Date, RegExp, Error].map(
  ({ prototype }) => prototype as object,
);
const before = shared.map((prototype) => Reflect.ownKeys(prototype).length);
export const polluted = (): boolean =>
  shared.some((prototype, i) => Reflect.ownKeys(prototype).length !== before[i]) || 'polluted' in {};

/** Throws what was found, for fast-check to shrink. */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
