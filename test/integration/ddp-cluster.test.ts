import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startCluster, type Cluster, type NodeId } from '../../demo/cluster.ts';
import type { FailoverReport } from '../../src/core/api/report.ts';
import { DDPClient, DDPError, type DDPOptions } from '../../src/ddp/index.ts';
import { nodeUrl, until } from '../support/cluster-tools.ts';

interface Todo {
  text: string;
  done: boolean;
  createdAt: Date;
}

let cluster: Cluster;
let clients: DDPClient[] = [];

beforeAll(async () => void (cluster = await startCluster({ port: 0, rttMs: 10, quiet: true })), 30_000);
beforeEach(() => cluster.reset());
afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});
afterAll(() => cluster.stop());

function client(base = cluster.url, options: DDPOptions = {}): DDPClient {
  const ddp = new DDPClient(`${base.replace('http', 'ws')}/websocket/{attempt}`, {
    policy: 'fast',
    env: { WebSocket },
    ...options,
  });
  clients.push(ddp);
  return ddp;
}

const other = (node: NodeId): NodeId => (node === 'a' ? 'b' : 'a');

describe('against the demo cluster', () => {
  it('values, errors and refusals come through as they are', async () => {
    const ddp = client();
    const value = { at: new Date(5), data: new Uint8Array([1, 2]), n: NaN, $date: 'literal', callee: [null] };
    expect(await ddp.call('echo', value)).toEqual(value);
    await expect(ddp.call('fail', 'no-way', 'Because')).rejects.toMatchObject({
      code: 'no-way',
      reason: 'Because',
    });
    await expect(ddp.call('no.such')).rejects.toBeInstanceOf(DDPError);
    const refused = ddp.subscribe('no.such');
    await expect(refused.ready).rejects.toMatchObject({ kind: 'server', code: 404 });
    expect(refused.active).toBe(false);
    const numbers = ddp.subscribe('numbers', 100);
    await numbers.ready;
    expect(ddp.collection('numbers').size).toBe(100);
    numbers.stop();
    await until('the documents are gone', () => ddp.collection('numbers').size === 0);
    expect(ddp.stats()).toMatchObject({ malformedFrames: 0, unknownMessages: 0 });
  });

  it('a node stopped under a client: calls made while down run once, documents are exact, nothing flickers', async () => {
    const ddp = client();
    const sub = ddp.subscribe('todos');
    const todos = ddp.collection<Todo>('todos');
    for (const id of ['same', 'done', 'gone']) await ddp.call('todos.add', id, `text of ${id}`);
    await sub.ready;
    const node = await ddp.call<NodeId>('whoami');
    const survivor = client(await nodeUrl(cluster, other(node)));
    await survivor.subscribe('todos').ready;
    const same = todos.get('same');

    const log: string[] = [];
    todos.observe({
      added: ({ _id }) => log.push(`+${_id}`),
      changed: ({ _id }) => log.push(`~${_id}`),
      removed: ({ _id }) => log.push(`-${_id}`),
    });
    log.length = 0;
    const report = new Promise<FailoverReport>((resolve) => ddp.on('failover', resolve));
    const down = new Promise<unknown>((resolve) => ddp.on('down', resolve));
    await cluster.apply(node, 'stop');
    await down;
    expect(ddp.status.name).not.toBe('online');
    // Nobody is served by the stopped node, so all this happens where the client cannot see it …
    const counted = ddp.call('count', 'key');
    const added = ddp.call('todos.add', 'mine', 'mine');
    await Promise.all([
      survivor.call('todos.setDone', 'done', true),
      survivor.call('todos.remove', 'gone'),
      survivor.call('todos.add', 'new', 'new'),
    ]);
    // … and it is told of each thing once.
    expect(await counted).toBe(1);
    expect(await added).toBe('mine');
    expect(await ddp.call('whoami')).toBe(other(node));
    await until('the same documents', () => todos.size === 4 && todos.get('done')?.done);
    expect(await survivor.call('count', 'key')).toBe(2);
    const byId = (docs: readonly { _id: unknown }[]) =>
      [...docs].sort((a, b) => String(a._id).localeCompare(String(b._id)));
    expect(byId(todos.find())).toEqual(byId(survivor.collection('todos').find()));
    expect(todos.get('same')).toBe(same);
    expect([...log].sort()).toEqual(['+mine', '+new', '-gone', '~done']);
    expect(await report).toMatchObject({ cause: 'lost', fromNode: node, toNode: other(node) });
  });

  it('a node that hangs under a client: sent calls are answered by the other one', async () => {
    const ddp = client();
    await ddp.subscribe('todos').ready;
    const node = await ddp.call<NodeId>('whoami');
    const report = new Promise<FailoverReport>((resolve) => ddp.on('failover', resolve));
    await cluster.apply(node, 'hang');
    const unsure = ddp.apply('count', ['unsure'], { retry: false });
    const rejected = expect(unsure).rejects.toMatchObject({ kind: 'unconfirmed' });
    await ddp.call('todos.add', 'x', 'while hanging');
    await rejected;
    expect(
      ddp
        .collection('todos')
        .find()
        .map(({ _id }) => _id),
    ).toEqual(['x']);
    expect(await ddp.call('whoami')).toBe(other(node));
    expect(await report).toMatchObject({ cause: 'silent', toNode: other(node) });
    await cluster.apply(node, 'restart');
  });
});
