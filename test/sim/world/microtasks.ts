import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--allow-natives-syntax');

/**
 * Runs everything that promises have queued, now: what follows an event follows it before the next one, at the same virtual time.
 * V8's own checkpoint, which is what Node does between macrotasks; to go through Node's loop instead costs 2 µs an event, a hundred
 * times as much. It does nothing inside a microtask, so a world must be run from a macrotask: `outsideMicrotasks`.
 */
export const drainMicrotasks = new Function('%PerformMicrotaskCheckpoint()') as () => void;

/** Runs it in a macrotask of its own, and makes sure that `drainMicrotasks` works there. */
export const outsideMicrotasks = <T>(run: () => T): Promise<T> =>
  new Promise((resolve, reject) => {
    setImmediate(() => {
      let drained = false;
      void Promise.resolve().then(() => (drained = true));
      drainMicrotasks();
      if (!drained) reject(new Error('this V8 does not run microtasks on demand'));
      try {
        resolve(run());
      } catch (error) {
        reject(error);
      }
    });
  });
