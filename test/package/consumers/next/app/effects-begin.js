/**
 * From here to `effects-end.js` whatever reaches for the outside world is noted. Modules are evaluated one after the other, in the
 * order of their imports and without a pause, so that nothing but the imports between the two can be the cause.
 */
export const effects = [];

const doors = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch', 'addEventListener'];
const classes = ['WebSocket', 'Worker', 'EventSource', 'BroadcastChannel'];

const before = new Map();
for (const name of [...doors, ...classes]) {
  before.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
  const value = function () {
    effects.push(name);
  };
  Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
}
const names = Reflect.ownKeys(globalThis).length;

export function stopWatching() {
  const added = Reflect.ownKeys(globalThis).length - names;
  if (added !== 0) effects.push(`${added} globals`);
  for (const [name, descriptor] of before) {
    delete globalThis[name];
    if (descriptor) Object.defineProperty(globalThis, name, descriptor);
  }
}
