import type { Env } from '../core/env/env.ts';

/**
 * When the data of a new connection becomes visible. It is withheld until the server has answered everything that had been
 * answered on the connection before. Meteor calls this quiescence:
 *
 *     begin ──▶ held ──(all awaited settled)──▶ shown ──(all pending settled, or time is up)──▶ swept
 *                 └───────(time is up)────────▶ shown, late ──(all awaited settled)───────────▶ swept
 *
 * `awaited`: the session itself, a login being resumed, and subscriptions that were ready before. They withhold the data.
 * `pending`: subscriptions that were never ready. They withhold nothing. But while one of them may still deliver, no document is
 * removed because the new connection did not mention it. Mostly there are none, and showing and sweeping are one step.
 *
 * When time is up the data is shown as it is. But nothing is removed before every awaited subscription has settled: a
 * document of a slow subscription must not vanish. A subscription that was never ready has no such claim.
 */
export interface Quiescence {
  /** Resolves when the hold has ended, for whatever reason. */
  readonly settled: Promise<void>;
  begin(awaited: Iterable<string>, pending: Iterable<string>): void;
  /** Awaits this id too, and sweeps only `graceMs` milliseconds after all have settled. */
  awaitAlso(id: string, graceMs: number): void;
  /** The server has answered this id, or nobody waits for the answer any more. */
  settle(id: string): void;
  /** Runs `fn` once the data received up to now is visible: now, or when the hold ends. Dropped if the connection ends before. */
  whenVisible(fn: () => void): void;
  /** The connection is gone. What was withheld, and what waited for it, is dropped. */
  cancel(): void;
}

/**
 * @param reveal makes what was withheld visible; with `sweep` it removes what was not confirmed
 * @param onTimeout called with the number of ids still awaited, if any, when time is up
 */
export function createQuiescence(
  env: Env,
  timeoutMs: number,
  reveal: (sweep: boolean) => void,
  onTimeout: (awaited: number) => void,
): Quiescence {
  let awaited = new Set<string>();
  let pending = new Set<string>();
  let callbacks: (() => void)[] = [];
  let isHeld = false;
  let isLate = false;
  let graceMs = 0;
  let timer: unknown;
  let resolveSettled: () => void = () => {};
  let settled: Promise<void> = Promise.resolve();

  const advance = (): void => {
    let sweep = !awaited.size && (isLate || !pending.size);
    if (sweep) {
      env.clearTimeout(timer);
      if (graceMs) {
        timer = env.setTimeout(advance, graceMs);
        graceMs = 0;
        sweep = false;
      }
    }
    const endsHold = isHeld && (isLate || !awaited.size);
    if (!endsHold && !sweep) return;
    const due = endsHold ? callbacks.splice(0) : [];
    if (endsHold) isHeld = false;
    reveal(sweep);
    for (const fn of due) fn();
    if (!isHeld) resolveSettled();
  };

  const cancel = (): void => {
    env.clearTimeout(timer);
    awaited.clear();
    pending.clear();
    callbacks = [];
    isHeld = false;
    resolveSettled();
  };

  return {
    get settled() {
      return settled;
    },
    begin(awaitedIds, pendingIds) {
      cancel();
      awaited = new Set(awaitedIds);
      pending = new Set(pendingIds);
      isHeld = true;
      settled = new Promise((resolve) => (resolveSettled = resolve));
      isLate = false;
      graceMs = 0;
      timer = env.setTimeout(() => {
        isLate = true;
        const { size } = awaited;
        advance();
        // Last, because a listener may close the client.
        if (size) onTimeout(size);
      }, timeoutMs);
    },
    awaitAlso(id, ms) {
      awaited.add(id);
      graceMs = ms;
    },
    settle(id) {
      if (awaited.delete(id) || pending.delete(id)) advance();
    },
    whenVisible(fn) {
      if (isHeld) callbacks.push(fn);
      else fn();
    },
    cancel,
  };
}
