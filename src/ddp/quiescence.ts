import type { Env } from '../core/env.ts';

/**
 * When may the data of a new connection be seen? It is held back until the server has answered everything that had been
 * answered on the connection before (Meteor calls this quiescence):
 *
 *     begin ──▶ held ──(all awaited settled)──▶ shown ──(all pending settled, or time is up)──▶ swept
 *                 └───────(time is up)────────▶ shown, late ──(all awaited settled)───────────▶ swept
 *
 * `awaited`: the session itself, a login being resumed, and subscriptions that were ready before. They hold back the data.
 * `pending`: subscriptions that never were. They hold back nothing, but while one of them may still deliver, nothing that
 * the new connection did not mention is removed. Mostly there are none, and showing and sweeping are one step.
 *
 * When time is up the data is shown as it is, but nothing is removed before every awaited subscription has settled: a document of
 * a subscription that is merely slow never vanishes. A subscription that was never ready has no such claim.
 */
export class Quiescence {
  readonly #env: Env;
  readonly #timeoutMs: number;
  readonly #show: (sweep: boolean) => void;
  readonly #warn: (awaited: number) => void;
  #awaited = new Set<string>();
  #pending = new Set<string>();
  #after: (() => void)[] = [];
  #held = false;
  #late = false;
  #graceMs = 0;
  #timer: unknown;
  #wake: () => void = () => {};
  /** Resolves when the hold has ended, by whatever. */
  settled: Promise<void> = Promise.resolve();

  /**
   * @param show makes what was held back visible; with `sweep` it removes what was not confirmed
   * @param warn is told how many subscriptions are still awaited when time is up
   */
  constructor(env: Env, timeoutMs: number, show: (sweep: boolean) => void, warn: (awaited: number) => void) {
    this.#env = env;
    this.#timeoutMs = timeoutMs;
    this.#show = show;
    this.#warn = warn;
  }

  begin(awaited: Iterable<string>, pending: Iterable<string>): void {
    this.cancel();
    this.#awaited = new Set(awaited);
    this.#pending = new Set(pending);
    this.#held = true;
    this.settled = new Promise((resolve) => (this.#wake = resolve));
    this.#late = false;
    this.#graceMs = 0;
    this.#timer = this.#env.setTimeout(() => {
      this.#late = true;
      const { size } = this.#awaited;
      this.#check();
      // Last: a listener may end the client.
      if (size) this.#warn(size);
    }, this.#timeoutMs);
  }

  /** The data is held back until this is answered, too; what it did not confirm is removed so many ms after all is settled. */
  await(id: string, graceMs: number): void {
    this.#awaited.add(id);
    this.#graceMs = graceMs;
  }

  /** The server has answered this id, or nobody waits for the answer any more. */
  settle(id: string): void {
    if (this.#awaited.delete(id) || this.#pending.delete(id)) this.#check();
  }

  /** Runs `fn` once the data sent up to now is visible: now, or when the hold ends. Dropped if the connection ends before. */
  after(fn: () => void): void {
    if (this.#held) this.#after.push(fn);
    else fn();
  }

  /** The connection is gone: what was held back, and what waited for it, is void. */
  cancel(): void {
    this.#env.clearTimeout(this.#timer);
    this.#awaited.clear();
    this.#pending.clear();
    this.#after = [];
    this.#held = false;
    this.#wake();
  }

  #check(): void {
    let sweep = !this.#awaited.size && (this.#late || !this.#pending.size);
    if (sweep) {
      this.#env.clearTimeout(this.#timer);
      if (this.#graceMs) {
        this.#timer = this.#env.setTimeout(() => this.#check(), this.#graceMs);
        this.#graceMs = 0;
        sweep = false;
      }
    }
    const shown = this.#held && (this.#late || !this.#awaited.size);
    if (!shown && !sweep) return;
    const after = shown ? this.#after.splice(0) : [];
    this.#held &&= !shown;
    this.#show(sweep);
    for (const fn of after) fn();
    if (!this.#held) this.#wake();
  }
}
