/** Importing an entry does nothing but define what it exports, so that servers, workers and tests may import it anywhere. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp, runNode, type App } from '../support/packed-package.ts';

const entries = ['', '/ddp', '/meteor', '/sockjs', '/server'];

/**
 * Loads an entry in a world whose every door is watched, and prints what went through one. Node lacks much that a page has:
 * stand-ins make a browser's code paths reachable.
 */
const watch = `
  const effects = [];
  const record = (name, target) =>
    new Proxy(target, {
      apply: (...args) => (effects.push(name), Reflect.apply(...args)),
      construct: (...args) => (effects.push('new ' + name), Reflect.construct(...args)),
    });
  const doors = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch'];
  for (const name of doors) globalThis[name] = record(name, globalThis[name]);
  for (const name of ['WebSocket', 'Worker', 'SharedWorker', 'BroadcastChannel', 'EventSource'])
    globalThis[name] = record(name, class {});
  for (const name of ['addEventListener', 'dispatchEvent', 'postMessage'])
    globalThis[name] = record(name, () => {});
  globalThis.document = { visibilityState: 'hidden', addEventListener: record('document listener', () => {}) };
  for (const name of ['on', 'once', 'addListener', 'prependListener'])
    process[name] = record('process.' + name, process[name]);
  globalThis.window = globalThis;

  // Every built-in and its prototype, property by property: nothing may be added, removed or replaced.
  const snapshot = () => {
    const seen = new Map([['globalThis', globalThis], ['process', process]]);
    for (const name of Reflect.ownKeys(globalThis)) {
      const value = Object.getOwnPropertyDescriptor(globalThis, name).value;
      if (typeof value !== 'function' && name !== 'Math' && name !== 'JSON' && name !== 'Reflect') continue;
      seen.set(String(name), value);
      if (value.prototype) seen.set(String(name) + '.prototype', value.prototype);
    }
    const found = new Map();
    for (const [name, object] of seen)
      for (const key of Reflect.ownKeys(object)) {
        const { value, get, set } = Object.getOwnPropertyDescriptor(object, key);
        found.set(name + '.' + String(key), value ?? get ?? set);
      }
    return found;
  };
  const before = snapshot();
  // Pipes are the standard streams, requests the module loader's own reading of files.
  const isOwn = (name) => !/Pipe|TTY|Req/.test(name);
  const resources = () => process.getActiveResourcesInfo().filter(isOwn).sort().join();
  const idle = resources();
  const end = () => {
    const after = snapshot();
    for (const name of new Set([...before.keys(), ...after.keys()]))
      if (!Object.is(before.get(name), after.get(name))) effects.push('changed ' + name);
    if (resources() !== idle) effects.push('holds ' + resources());
    console.log(JSON.stringify(effects));
  };
`;

const load = {
  import: (from: string) => `import(${JSON.stringify(from)}).then(end);`,
  require: (from: string) => `require(${JSON.stringify(from)}); end();`,
};

describe('an import without effect', () => {
  let app: App;

  beforeAll(async () => {
    app = await createApp();
  });
  afterAll(() => app?.remove());

  async function effectsOf(code: string): Promise<unknown> {
    await app.write('watch.cjs', watch + code);
    return JSON.parse(await runNode(app, ['watch.cjs']));
  }

  describe.each(['import', 'require'] as const)('by %s', (how) => {
    it.each(entries)('failover-websocket%s', async (entry) => {
      expect(await effectsOf(load[how](`failover-websocket${entry}`))).toEqual([]);
    });
  });

  it('the script tag’s file defines its one global', async () => {
    const script = `
      const file = require.resolve('failover-websocket/global');
      require('node:vm').runInThisContext(require('node:fs').readFileSync(file, 'utf8'));
      end();
    `;
    expect(await effectsOf(script)).toEqual(['changed globalThis.failover']);
  });

  it('would be noticed otherwise', async () => {
    const noisy = `
      setTimeout(() => {});
      new Worker('');
      addEventListener('online', () => {});
      Array.prototype.last = () => {};
      end();
    `;
    expect(await effectsOf(noisy)).toEqual([
      'setTimeout',
      'new Worker',
      'addEventListener',
      'changed Array.prototype.last',
      'holds Timeout',
    ]);
  });
});
