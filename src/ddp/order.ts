/**
 * The order of a collection's documents. A `Map` iterates in the order of insertion, so a document moves by deleting and
 * inserting again whatever stands behind its new place.
 */

/**
 * Moves an entry in front of another; to the end if `before` is null or not in the map.
 * @returns whether the entry has another place now
 */
export function moveBefore<K, V>(map: Map<K, V>, key: K, before: K | null): boolean {
  const keys = [...map.keys()];
  const from = keys.indexOf(key);
  const to = before === null ? -1 : keys.indexOf(before);
  const isThere = to < 0 ? from === keys.length - 1 : to === from || to === from + 1;
  if (isThere) return false;
  const behind = to < 0 ? [] : keys.slice(to).filter((other) => other !== key);
  for (const one of [key, ...behind]) reinsert(map, one);
  return true;
}

/**
 * Brings the entries into the order of `keys`. All keys of the map must be among them.
 * @returns whether the order is another one now
 */
export function reorder<K, V>(map: Map<K, V>, keys: readonly K[]): boolean {
  const current = [...map.keys()];
  if (keys.every((key, i) => key === current[i])) return false;
  for (const key of keys) reinsert(map, key);
  return true;
}

/** Of the keys that both lists hold: those an observer must hear of, if the others keep their order. */
export function findMoved<K>(previous: readonly K[], next: readonly K[]): K[] {
  const inNext = new Set(next);
  const common = previous.filter((key) => inNext.has(key));
  const isCommon = new Set(common);
  const moved = new Set<K | undefined>();
  let at = 0;
  for (const key of next) {
    while (moved.has(common[at])) at += 1;
    if (common[at] === key) at += 1;
    else if (isCommon.has(key)) moved.add(key);
  }
  return [...moved] as K[];
}

/** The new order after a failover: first what the new connection has sent, then what it has not mentioned yet. */
export function mergeOrder<K>(previous: readonly K[], next: readonly K[]): K[] {
  const inNext = new Set(next);
  return [...next, ...previous.filter((key) => !inNext.has(key))];
}

function reinsert<K, V>(map: Map<K, V>, key: K): void {
  const value = map.get(key) as V;
  map.delete(key);
  map.set(key, value);
}
