import { validate, isObject } from '../shared/validate.ts';
import type { Docs, Filter, Snapshot } from './document.ts';
import { equals, toWire } from './ejson.ts';

/** Object filters are recognised by their text. Beyond this number the texts are forgotten, so that memory stays bounded. */
const MAX_OBJECT_FILTERS = 1_000;

/** `find`, with arrays that stay the same objects while they hold the same documents. UI frameworks compare them by identity. */
export interface Snapshots {
  find(filter?: Filter<Record<string, unknown>>): Snapshot;
  /** A document or the order has changed. */
  invalidate(): void;
}

export function createSnapshots(docs: Docs): Snapshots {
  let all: Snapshot | undefined;
  const byText = new Map<string, Snapshot>();
  const byFunction = new WeakMap<object, Snapshot>();

  return {
    find(filter) {
      all ??= Object.freeze([...docs.values()]);
      if (!filter) return all;
      if (typeof filter === 'function') {
        // The result is not cached: a function may look at more than the document. Only the array is reused.
        const found = all.filter((doc) => filter(doc));
        return reuse(byFunction, filter, found);
      }
      validate('filter', filter, isObject);
      const wanted = Object.entries(filter).sort();
      const text = JSON.stringify(
        wanted.map(([field, value]) =>
          value === undefined ? field : [field, toWire(value, `filter.${field}`)],
        ),
      );
      if (byText.size >= MAX_OBJECT_FILTERS && !byText.has(text)) byText.clear();
      const found = all.filter((doc) => wanted.every(([field, value]) => equals(doc[field], value)));
      return reuse(byText, text, found);
    },
    invalidate: () => void (all = undefined),
  };
}

/** Returns the array found last time if it holds the same documents, else the new one. */
function reuse<K>(
  cache: { get(key: K): Snapshot | undefined; set(key: K, docs: Snapshot): unknown },
  key: K,
  found: Snapshot,
): Snapshot {
  const last = cache.get(key);
  if (last?.length === found.length && last.every((doc, i) => doc === found[i])) return last;
  cache.set(key, Object.freeze(found));
  return found;
}
