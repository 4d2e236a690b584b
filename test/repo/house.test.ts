import { describe, expect, it } from 'vitest';
import { findings } from './house.ts';

// Each reads TypeScript's own declarations of a whole browser.
const timeout = 30_000;

describe('the house', () => {
  it('keeps its import direction and its one door to the outside world', { timeout }, () => {
    expect(findings()).toEqual([]);
  });

  it('would notice a breach', { timeout }, () => {
    const house = {
      'src/core/link/up.ts': `import '../../ddp/client.ts'; import RWS from 'reconnecting-websocket'; export { RWS };`,
      'src/core/api/a.ts': `import type { B } from './b.ts'; export type A = B;`,
      'src/core/api/b.ts': `export type B = import('./a.ts').A;`,
      'src/core/api/c.ts': `import '../link/up.ts';`,
      'src/core/rules/r.ts': `import type { Env } from '../env/env.ts'; export type E = Env;`,
      'src/core/env/env.ts': `export type Env = object;`,
      'src/core/env/browser.ts': `export const now = () => Date.now() + performance.now();`,
      'src/core/link/socket.ts': `import RWS from 'reconnecting-websocket'; export { RWS };`,
      'src/core/link/world.ts': `
        setTimeout(() => {}, Math.random());
        new WebSocket('ws://x');
        export const times = [Date.now(), new Date(), new Date(5), Math.max(1, 2)];
        export const parts = { fetch, page: window.top, t: globalThis.setTimeout };
        // setTimeout and document in a comment, and types of the world, are fine
        export type W = typeof WebSocket | Document;
        export const own = (document: { title: string }, env: { setTimeout(): void }) => {
          env.setTimeout();
          return document.title;
        };
      `,
      'src/shared/s.ts': `import '../core/env/env.ts';`,
      'src/ddp/client.ts': `import EJSON from 'ejson'; export { EJSON };`,
      'src/attic/x.ts': `export {};`,
      'src/server/s.ts': `import '../ddp/client.ts'; document.title = '';`,
    };
    expect(findings(house).map((line) => line.replace(/ is the outside.*/, ''))).toEqual([
      'src/core/link/up.ts: core/link may not import ddp',
      'src/core/link/up.ts: only src/core/link/socket.ts may import reconnecting-websocket',
      'src/core/api/c.ts: core/api may not import core/link',
      'src/core/rules/r.ts: core/rules is pure and may not name Env',
      'src/core/link/world.ts:2: setTimeout',
      'src/core/link/world.ts:2: Math.random',
      'src/core/link/world.ts:3: WebSocket',
      'src/core/link/world.ts:4: the current time',
      'src/core/link/world.ts:4: the current time',
      'src/core/link/world.ts:5: fetch',
      'src/core/link/world.ts:5: window',
      'src/core/link/world.ts:5: globalThis',
      'src/shared/s.ts: shared may not import core/env',
      'src/ddp/client.ts: only src/ddp/ejson.ts may import ejson',
      'src/attic/x.ts: the house has no room attic',
      'src/server/s.ts: server may not import ddp',
      'cycle: src/core/api/a.ts → src/core/api/b.ts → src/core/api/a.ts',
    ]);
  });

  it('would notice a breach in the demo', { timeout }, () => {
    const house = {
      'demo/main.ts': `const { smoke } = await import('./smoke.ts'); import './net/ports.ts'; smoke();`,
      'demo/smoke.ts': `import type { Cluster } from './cluster/api.ts'; export const smoke = (c?: Cluster) => c;`,
      'demo/cluster.ts': `import './control-room/server.ts'; import './cluster/api.ts'; import './node/main.ts';`,
      'demo/cluster/api.ts': `export interface Cluster { x: 1 }`,
      'demo/control-room/server.ts': `import type { Cluster } from '../cluster.ts'; export type C = Cluster;`,
      'demo/control-room/page/app.js': `import { h } from './dom.js'; import '../orders.ts'; import 'ws'; h();`,
      'demo/control-room/page/dom.js': `import { app } from './app.js'; export const h = () => app;`,
      'demo/app/app.js': `export { h } from '../control-room/page/dom.js';`,
      'demo/node/main.ts': `import 'ws'; import 'no-such-package'; import '../../src/server/index.ts'; import '../app/app.js';`,
      'demo/net/ports.ts': `import '../node/sockets.ts';`,
      'demo/attic/x.ts': `import '../../test/sim/main.ts';`,
      'src/server/index.ts': `import '../../demo/net/flow.ts';`,
    };
    expect(findings(house)).toEqual([
      'demo/main.ts: main.ts may not import net',
      'demo/smoke.ts: smoke.ts may not import cluster',
      'demo/cluster.ts: cluster.ts may not import node',
      'demo/control-room/server.ts: control-room may not import cluster.ts',
      'demo/control-room/page/app.js: control-room/page may not import control-room',
      'demo/control-room/page/app.js: control-room/page is a page and cannot import ws',
      'demo/app/app.js: app may not import control-room/page',
      'demo/node/main.ts: unknown package no-such-package',
      'demo/node/main.ts: node may not import app',
      'demo/net/ports.ts: net may not import node',
      'demo/attic/x.ts: the house has no room attic',
      'demo/attic/x.ts: attic may not import test',
      'src/server/index.ts: server may not import demo',
      'cycle: demo/cluster.ts → demo/control-room/server.ts → demo/cluster.ts',
      'cycle: demo/control-room/page/dom.js → demo/control-room/page/app.js → demo/control-room/page/dom.js',
    ]);
  });
});
