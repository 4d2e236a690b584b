import type { Leaving } from '../core/api/options.ts';
import type { Env } from '../core/env/env.ts';
import { callsOf, subscriptionsOf, type MeteorConnection } from './shape.ts';

/** For how long answers to calls are awaited on a connection that still works before it is left, ms. */
const CALLS_MS = 10_000;
/** For how long subscriptions are awaited, ms. It is shorter, because some never become ready. */
const READY_MS = 5_000;
/** How often Meteor is asked whether it is idle, ms. It has no event for that. */
const POLL_MS = 10;

/**
 * The session that the server has begun on the connection in use, and the session on the one that is being left. It decides
 * when Meteor may go over to the next connection: when the calls under way have their answers.
 */
export class Handover {
  readonly #client: MeteorConnection;
  readonly #env: Env;
  readonly #isServed: () => boolean;
  /** Sessions have no content here: they are told apart by identity. */
  #session: object | undefined;
  /** The session on a connection that is being left and still answers calls. The new one is not begun meanwhile. */
  #leaving: object | undefined;

  /** @param isServed whether the connection that carries the session still works */
  constructor(client: MeteorConnection, env: Env, isServed: () => boolean) {
    this.#client = client;
    this.#env = env;
    this.#isServed = isServed;
  }

  get hasSession(): boolean {
    return this.#session !== undefined;
  }

  get isLeaving(): boolean {
    return this.#leaving !== undefined;
  }

  beginSession(): void {
    this.#session = {};
  }

  endSession(): void {
    this.#session = undefined;
  }

  /** Nothing more is expected of the connection that is being left. */
  stopLeaving(): void {
    this.#leaving = undefined;
  }

  /**
   * Leaves the connection in use for one that is open. Its frames are still delivered until its calls are answered.
   *
   * @param deliver called with each frame that still arrives on it
   * @param onLeft called when it is gone, unless it was left for yet another connection before
   */
  leave(deliver: (data: unknown) => void, onLeft: () => void): Leaving {
    // Before the session ends: a connection without a session, say a refused one, answers nothing and is not waited for.
    const done = this.waitUntilIdle();
    const left = (this.#leaving = this.#session ?? {});
    this.#session = undefined;
    return {
      frame: deliver,
      done,
      left: () => {
        if (this.#leaving !== left) return;
        this.#leaving = undefined;
        onLeft();
      },
    };
  }

  /**
   * Resolves when the calls under way in this session have their answers, or when the session is over. While Meteor still sends
   * on its connection, calls made meanwhile are awaited as well, and subscriptions until they are ready.
   */
  waitUntilIdle(): Promise<void> {
    const awaited = this.#leaving ?? this.#session;
    const callsAtStart = this.#sentCalls();
    const readyUntil = this.#env.now() + READY_MS;
    const isBusy = (): boolean => {
      const isOver = !awaited || (awaited !== this.#leaving && awaited !== this.#session);
      if (isOver || !this.#isServed()) return false;
      // A call made while a connection is being left goes to the next one.
      if (this.#leaving) return callsAtStart.some((id) => id in callsOf(this.#client));
      if (this.#sentCalls().length > 0) return true;
      // Meteor removes the documents of a subscription that is not ready yet, to bring them again.
      return this.#env.now() < readyUntil && this.#hasUnreadySubscription();
    };
    return pollWhile(this.#env, isBusy, CALLS_MS);
  }

  /** Ids of calls without an answer. A call that waits for another one is not sent yet, and goes out after it. */
  #sentCalls(): string[] {
    const calls = Object.entries(callsOf(this.#client));
    return calls.filter(([, { sentMessage }]) => sentMessage).map(([id]) => id);
  }

  #hasUnreadySubscription(): boolean {
    return Object.values(subscriptionsOf(this.#client)).some(({ ready }) => !ready);
  }
}

/** Resolves as soon as `isBusy` is false, but after `timeoutMs` in any case. */
function pollWhile(env: Env, isBusy: () => boolean, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const until = env.now() + timeoutMs;
    const poll = (): void => {
      if (isBusy() && env.now() < until) env.setTimeout(poll, POLL_MS);
      else resolve();
    };
    poll();
  });
}
