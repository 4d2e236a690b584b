import { describe, expect, it } from 'vitest';
import { findings } from '../tools/house.ts';

// Each reads TypeScript's own declarations of a whole browser.
const timeout = 30_000;

describe('the house', () => {
  it('keeps its import direction and its one door to the outside world', { timeout }, () => {
    expect(findings()).toEqual([]);
  });

  it('would notice a breach', { timeout }, () => {
    const house = {
      'src/core/up.ts': `import '../ddp/client.ts'; import RWS from 'reconnecting-websocket'; export { RWS };`,
      'src/core/a.ts': `import type { B } from './b.ts'; export type A = B;`,
      'src/core/b.ts': `export type B = import('./a.ts').A;`,
      'src/core/env.ts': `export const now = () => Date.now() + performance.now();`,
      'src/core/socket.ts': `import RWS from 'reconnecting-websocket'; export { RWS };`,
      'src/core/world.ts': `
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
      'src/ddp/client.ts': `import EJSON from 'ejson'; export { EJSON };`,
      'src/attic/x.ts': `export {};`,
      'src/widget/badge.ts': `import '../ddp/client.ts'; document.title = '';`,
    };
    expect(findings(house).map((line) => line.replace(/ is the outside.*/, ''))).toEqual([
      'src/core/up.ts: core may not import ddp',
      'src/core/up.ts: only src/core/socket.ts may import reconnecting-websocket',
      'src/core/world.ts:2: setTimeout',
      'src/core/world.ts:2: Math.random',
      'src/core/world.ts:3: WebSocket',
      'src/core/world.ts:4: the current time',
      'src/core/world.ts:4: the current time',
      'src/core/world.ts:5: fetch',
      'src/core/world.ts:5: window',
      'src/core/world.ts:5: globalThis',
      'src/ddp/client.ts: only src/ddp/ejson.ts may import ejson',
      'src/attic/x.ts: the house has no room attic',
      'src/widget/badge.ts: widget may not import ddp',
      'cycle: src/core/a.ts → src/core/b.ts → src/core/a.ts',
    ]);
  });
});
