import type { Env } from '../core/env/env.ts';

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
export interface Quiescence {
  /** Resolves when the hold has ended, by whatever. */
  readonly settled: Promise<void>;
  begin(awaited: Iterable<string>, pending: Iterable<string>): void;
  /** The data is held back until this is answered, too; what it did not confirm is removed so many ms after all is settled. */
  await(id: string, graceMs: number): void;
  /** The server has answered this id, or nobody waits for the answer any more. */
  settle(id: string): void;
  /** Runs `fn` once the data sent up to now is visible: now, or when the hold ends. Dropped if the connection ends before. */
  after(fn: () => void): void;
  /** The connection is gone: what was held back, and what waited for it, is void. */
  cancel(): void;
}

/**
 * @param show makes what was held back visible; with `sweep` it removes what was not confirmed
 * @param warn is told how many subscriptions are still awaited when time is up
 */
export function createQuiescence(
  env: Env,
  timeoutMs: number,
  show: (sweep: boolean) => void,
  warn: (awaited: number) => void,
): Quiescence {
  let awaited = new Set<string>();
  let pending = new Set<string>();
  let waiting: (() => void)[] = [];
  let held = false;
  let late = false;
  let grace = 0;
  let timer: unknown;
  let wake: () => void = () => {};
  let settled: Promise<void> = Promise.resolve();

  const check = (): void => {
    let sweep = !awaited.size && (late || !pending.size);
    if (sweep) {
      env.clearTimeout(timer);
      if (grace) {
        timer = env.setTimeout(check, grace);
        grace = 0;
        sweep = false;
      }
    }
    const shown = held && (late || !awaited.size);
    if (!shown && !sweep) return;
    const after = shown ? waiting.splice(0) : [];
    held &&= !shown;
    show(sweep);
    for (const fn of after) fn();
    if (!held) wake();
  };

  const cancel = (): void => {
    env.clearTimeout(timer);
    awaited.clear();
    pending.clear();
    waiting = [];
    held = false;
    wake();
  };

  return {
    get settled() {
      return settled;
    },
    begin(ids, others) {
      cancel();
      awaited = new Set(ids);
      pending = new Set(others);
      held = true;
      settled = new Promise((resolve) => (wake = resolve));
      late = false;
      grace = 0;
      timer = env.setTimeout(() => {
        late = true;
        const { size } = awaited;
        check();
        // Last: a listener may end the client.
        if (size) warn(size);
      }, timeoutMs);
    },
    await(id, graceMs) {
      awaited.add(id);
      grace = graceMs;
    },
    settle(id) {
      if (awaited.delete(id) || pending.delete(id)) check();
    },
    after(fn) {
      if (held) waiting.push(fn);
      else fn();
    },
    cancel,
  };
}
