import { createCollection, type StoredCollection } from './collection.ts';
import type { Isolate, RunEvents } from './observers.ts';

/** All collections, and the switch between "applied at once" and "withheld". */
export interface Store {
  /** The same object for the same name. */
  collection(name: string): StoredCollection;
  /** From here on data is collected out of sight. What an earlier connection had collected so is dropped. */
  withhold(): void;
  /**
   * Makes withheld data visible with one minimal diff over all collections: first every document is in its new state, then
   * observers hear of it.
   * @param sweep removes the documents that the current connection did not confirm, before others are added
   */
  reveal(sweep: boolean): void;
  /** The client is closed: async iterations end. */
  end(): void;
}

export function createStore(isolate: Isolate): Store {
  const collections = new Map<string, StoredCollection>();
  const run = createEventLoop();
  let isWithholding = false;
  let isEnded = false;

  return {
    collection(name) {
      let collection = collections.get(name);
      if (!collection) {
        collection = createCollection(name, isolate, run, () => isEnded);
        collections.set(name, collection);
        if (isWithholding) collection.withhold();
      }
      return collection;
    },
    withhold() {
      isWithholding = true;
      for (const collection of collections.values()) collection.withhold();
    },
    reveal(sweep) {
      const events: (() => void)[] = [];
      const revealed = [...collections.values()];
      for (const collection of revealed) collection.reveal(sweep, events);
      isWithholding = false;
      for (const collection of revealed) events.push(collection.notifyListeners);
      run(events);
    },
    end() {
      isEnded = true;
      for (const collection of collections.values()) collection.notifyListeners();
    },
  };
}

function createEventLoop(): RunEvents {
  const queue: (() => void)[] = [];
  let isRunning = false;
  return (events) => {
    for (const event of events) queue.push(event);
    if (isRunning) return;
    isRunning = true;
    try {
      // The queue grows while it runs.
      for (const event of queue) event();
    } finally {
      queue.length = 0;
      isRunning = false;
    }
  };
}
