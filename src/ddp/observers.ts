import { validate, isFunction, rule } from '../shared/validate.ts';
import type { Doc, Observer, Snapshot } from './document.ts';

/** Calls app code. What it throws is reported and goes no further. */
export type Isolate = (fn: () => void) => void;
/** Runs events in order. Events that arise meanwhile run after these, so every observer hears all events in the same order. */
export type RunEvents = (events: readonly (() => void)[]) => void;

const HANDLERS = ['added', 'changed', 'removed', 'moved'] as const;

const isObserver = rule('added, changed, removed or moved (functions, at least one of them)', (observer) => {
  const given = HANDLERS.map((kind) => (Object(observer) as Record<string, unknown>)[kind]).filter(
    (handler) => handler !== undefined,
  );
  return given.length > 0 && given.every(isFunction);
});

/** Those who hear of each single change. */
export interface Observers {
  observe(observer: Observer<Record<string, unknown>>): { stop(): void };
  /** Adds the calls for one change to `events`. */
  report(kind: keyof Observer<unknown>, doc: Doc, previous: Doc | undefined, events: (() => void)[]): void;
}

export function createObservers(isolate: Isolate, run: RunEvents, find: () => Snapshot): Observers {
  const entries = new Set<{ readonly observer: Observer<Record<string, unknown>> }>();
  return {
    observe(observer) {
      validate('observer', observer, isObserver);
      const entry = { observer };
      entries.add(entry);
      run(
        find().map((doc) => () => {
          if (entries.has(entry)) isolate(() => observer.added?.(doc));
        }),
      );
      return { stop: () => void entries.delete(entry) };
    },
    report(kind, doc, previous, events) {
      if (!entries.size) return;
      // Only those observing now: one that begins inside an event learns the new state from its own `added` calls.
      const present = [...entries];
      events.push(() => {
        for (const entry of present)
          if (entries.has(entry)) isolate(() => entry.observer[kind]?.(doc, previous!));
      });
    },
  };
}

/** Those who hear of the collection as a whole: once after each change, with the snapshot. */
export interface Listeners {
  readonly size: number;
  subscribe(listener: (docs: Snapshot) => void): () => void;
  iterate(): AsyncIterator<Snapshot, undefined>;
  /** Calls those whose snapshot is out of date. */
  notify(): void;
}

/** @param isEnded whether the client is closed, so that no other snapshot will come */
export function createListeners(isolate: Isolate, find: () => Snapshot, isEnded: () => boolean): Listeners {
  const listeners = new Set<() => void>();
  return {
    get size() {
      return listeners.size;
    },
    subscribe(listener) {
      validate('listener', listener, isFunction);
      let last: Snapshot | undefined;
      const notify = () => {
        const docs = find();
        if (docs === last) return;
        last = docs;
        isolate(() => listener(docs));
      };
      listeners.add(notify);
      notify();
      return () => void listeners.delete(notify);
    },
    iterate() {
      let last: Snapshot | undefined;
      let done = false;
      let wake = () => {};
      const notify = () => {
        const wakeNow = wake;
        wake = () => {};
        wakeNow();
      };
      listeners.add(notify);
      return {
        next: async () => {
          while (!done && find() === last) {
            done = isEnded();
            // Several `next()` may wait at once.
            const wakeOthers = wake;
            if (!done) await new Promise<void>((resolve) => (wake = () => (wakeOthers(), resolve())));
          }
          return done ? { done, value: undefined } : { value: (last = find()) };
        },
        return: () => {
          done = true;
          listeners.delete(notify);
          notify();
          return Promise.resolve({ done, value: undefined });
        },
      };
    },
    notify() {
      for (const listener of listeners) listener();
    },
  };
}
