import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, type Cluster, type ClusterState } from '../../demo/cluster.ts';
import { parseClientReport, Telemetry } from '../../demo/cluster/telemetry.ts';
import { stateOf, until } from '../support/cluster-tools.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());

async function post(path: string, body: unknown = {}, headers: Record<string, string> = {}) {
  const answer = await fetch(cluster.controlUrl + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, unknown>,
  };
}

const report = (body: unknown) =>
  post('/api/clients', body, { 'content-type': 'text/plain', origin: 'http://else.where' });

/** A request whose headers fetch would not let us set. */
function get(base: string, path: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }>(
    (resolve, reject) => {
      const { port } = new URL(base);
      const call = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        answer.on('end', () =>
          resolve({ status: answer.statusCode as number, headers: answer.headers, text }),
        );
      });
      call.on('error', reject).end();
    },
  );
}

describe('orders', () => {
  it('brings faults upon nodes and repairs them', async () => {
    expect(await post('/api/nodes/a/kill')).toMatchObject({ status: 200, body: { at: expect.any(Number) } });
    expect((await stateOf(cluster, 'a')).app).toBe('stopped');
    expect(await post('/api/nodes/a/hang')).toMatchObject({
      status: 409,
      body: { error: 'Cannot hang node a: its app is stopped. Restart the node first.' },
    });
    expect((await post('/api/nodes/a/restart', '')).status).toBe(200);
    expect((await stateOf(cluster, 'a')).app).toBe('running');
  });

  it('sets round-trip time and health target', async () => {
    expect((await post('/api/rtt', { ms: 40 })).status).toBe(200);
    expect((await post('/api/health', { asks: 'app' })).status).toBe(200);
    expect(await (await fetch(`${cluster.controlUrl}/api/state`)).json()).toMatchObject({
      rttMs: 40,
      health: 'app',
    });
    await cluster.setRtt(0);
    await cluster.setHealth('gateway');
  });

  it.each([
    ['/api/rtt', { ms: 2001 }, {}, 400, 'ms must be a number from 0 to 2000, not 2001'],
    ['/api/rtt', { ms: '40' }, {}, 400, 'not "40"'],
    ['/api/rtt', {}, {}, 400, 'ms must be a number from 0 to 2000, not undefined'],
    ['/api/rtt', '[1]', {}, 400, 'the body must be a JSON object, not "[1]"'],
    ['/api/rtt', '{', {}, 400, 'the body must be JSON, not "{"'],
    ['/api/health', { asks: 'me' }, {}, 400, 'health must be "gateway" or "app", not "me"'],
    ['/api/nodes/c/stop', {}, {}, 404, 'node must be one of a, b, not "c"'],
    ['/api/nodes/a/melt', {}, {}, 404, 'fault must be one of'],
    ['/api/nope', {}, {}, 404, 'no such path: /api/nope'],
    [
      '/api/nodes/a/kill',
      {},
      { 'content-type': 'text/plain' },
      415,
      'content-type must be application/json, not text/plain',
    ],
    ['/api/nodes/a/kill', {}, { origin: 'http://evil.test' }, 403, 'not http://evil.test'],
    ['/api/nodes/a/kill', {}, { origin: 'null' }, 403, 'not null'],
  ])('refuses %s %j %j with %i', async (path, body, headers, status, error) => {
    expect(await post(path, body, headers)).toMatchObject({
      status,
      body: { error: expect.stringContaining(error) },
    });
    expect((await cluster.state()).nodes.map(({ app }) => app)).toEqual(['running', 'running']);
  });

  it('refuses a body of more than 64 KiB, of reports too', async () => {
    const pad = 'x'.repeat(65_537);
    for (const answer of [
      await post('/api/rtt', { pad }),
      await report({ id: 'x', status: 's', report: { pad } }),
    ]) {
      expect(answer).toMatchObject({ status: 413, body: { error: 'the body must not exceed 65536 bytes' } });
    }
  });

  it('takes orders from its own page, by GET none, and from no foreign host name', async () => {
    expect((await post('/api/rtt', { ms: 0 }, { origin: cluster.controlUrl })).status).toBe(200);
    expect((await get(cluster.controlUrl, '/api/nodes/a/kill')).status).toBe(405);
    expect((await get(cluster.controlUrl, '/api/state', { host: 'rebound.test' })).status).toBe(403);
    const { port } = new URL(cluster.controlUrl);
    expect((await get(cluster.controlUrl, '/api/state', { host: `localhost:${port}` })).status).toBe(200);
  });
});

describe('telemetry', () => {
  it('takes reports from any origin, shows them, and forgets who is gone', async () => {
    const first = await report({ id: 'c1', status: 'online', node: 'b', rttMs: 3.5 });
    expect([first.status, first.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
    await report({ id: 'c2', status: 'online', node: 'b' });
    const { clients, nodes } = await cluster.state();
    expect(clients).toEqual([
      { id: 'c1', status: 'online', node: 'b', rttMs: 3.5, lastSeen: expect.any(Number) },
      { id: 'c2', status: 'online', node: 'b', lastSeen: expect.any(Number) },
    ]);
    expect(nodes.map(({ clients: count }) => count)).toEqual([0, 2]);
    await report({ id: 'c1', status: 'online', node: 'a', report: { cause: 'ended', downMs: 120 } });
    await report({ id: 'c2', status: 'closed', gone: true });
    const after = await cluster.state();
    expect(after.clients.map(({ id, node }) => [id, node])).toEqual([['c1', 'a']]);
    expect(after.failovers).toEqual([
      { clientId: 'c1', at: expect.any(Number), report: { cause: 'ended', downMs: 120 } },
    ]);
    await cluster.reset();
    expect(await cluster.state()).toMatchObject({ clients: [], failovers: [] });
  });

  it('shows what pages say beyond that, as far as it makes sense', async () => {
    const said = {
      policy: 'fast',
      warm: true,
      standby: 'b',
      leaving: true,
      attempt: 2,
      until: 5,
      suspicions: 1,
    };
    await report({ id: 'v1', status: 'online', node: 'a', ...said });
    await report({
      id: 'v2',
      status: 'waiting',
      probe: '502: a gateway',
      attempt: -1,
      warm: 'yes',
      made: 'up',
    });
    const shown = async () =>
      ((await (await fetch(`${cluster.controlUrl}/api/state`)).json()) as ClusterState).clients;
    const [lastSeen, base] = [expect.any(Number) as number, { status: 'online', node: 'a' }];
    expect(await shown()).toEqual([
      { id: 'v1', ...base, ...said, lastSeen },
      { id: 'v2', status: 'waiting', probe: '502: a gateway', lastSeen },
    ]);
    // A later word replaces all of it.
    await report({ id: 'v1', ...base });
    expect((await shown()).find(({ id }) => id === 'v1')).toEqual({ id: 'v1', ...base, lastSeen });
    await cluster.reset();
  });

  it.each([
    [{ status: 'online' }, 'id must be a string of 1 to 64 characters, not undefined'],
    [{ id: 'x'.repeat(65), status: 'online' }, 'id must be'],
    [{ id: 'x', status: 7 }, 'status must be a string of 1 to 32 characters, not 7'],
    [{ id: 'x', status: 's', node: '' }, 'node must be'],
    [{ id: 'x', status: 's', rttMs: -1 }, 'rttMs must be a number from 0 to 600000, not -1'],
    [{ id: 'x', status: 's', report: [] }, 'report must be an object, not []'],
    [{ id: 'x', status: 's', gone: 1 }, 'gone must be a boolean, not 1'],
  ])('refuses %j', async (body, error) => {
    expect(await report(body)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining(error) },
    });
    expect(() => parseClientReport(body)).toThrow(RangeError);
  });

  it('forgets the silent after 15 s and keeps the last 50 failovers', () => {
    let now = 1000;
    const telemetry = new Telemetry(
      () => {},
      () => now,
    );
    telemetry.receive({ id: 'old', status: 'online' });
    now += 14_999;
    telemetry.receive({ id: 'new', status: 'online' });
    telemetry.sweep();
    expect(telemetry.clients.map(({ id }) => id)).toEqual(['old', 'new']);
    now += 1;
    telemetry.sweep();
    expect(telemetry.clients.map(({ id }) => id)).toEqual(['new']);
    for (let i = 0; i < 60; i++) telemetry.receive({ id: 'new', status: 'online', report: { i } });
    expect(telemetry.failovers.map(({ report: { i } }) => i)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 10),
    );
    for (let i = 0; i < 2100; i++) telemetry.receive({ id: `flood ${i}`, status: 'online' });
    expect(telemetry.clients).toHaveLength(2000);
    telemetry.close();
  });
});

it('pushes the state at once, on each change, and at most ten times a second', async () => {
  const abort = new AbortController();
  const stream = await fetch(`${cluster.controlUrl}/api/events`, { signal: abort.signal });
  expect(stream.headers.get('content-type')).toBe('text/event-stream');
  const states: { at: number; state: ClusterState }[] = [];
  const reading = (async () => {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of stream.body as unknown as AsyncIterable<Uint8Array>) {
      const events = (text + decoder.decode(chunk, { stream: true })).split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        states.push({
          at: performance.now(),
          state: JSON.parse(event.replace(/^data: /, '')) as ClusterState,
        });
      }
    }
  })().catch(() => {});
  await until('the first state', () => states.length === 1);
  for (let i = 1; i <= 30; i++) await report({ id: 'busy', status: `status ${i}` });
  await until('the last state', () => states.at(-1)?.state.clients[0]?.status === 'status 30');
  const pushes = states.slice(1);
  const span = (pushes.at(-1)?.at ?? 0) - (pushes[0]?.at ?? 0);
  expect(pushes.length).toBeLessThanOrEqual(2 + span / 90);
  await cluster.apply('b', 'kill');
  await until('the fault', () => states.at(-1)?.state.nodes[1]?.app === 'stopped');
  await cluster.apply('b', 'restart');
  abort.abort();
  await reading;
});

describe('files', () => {
  it('serves pages under a strict policy, and nothing else of the machine', async () => {
    for (const base of [cluster.url, cluster.controlUrl]) {
      const shared = await get(base, '/base.css', { host: new URL(base).host });
      expect(shared).toMatchObject({ status: 200, text: expect.stringContaining('--accent') });
      const page = await get(base, '/', { host: new URL(base).host });
      expect(page).toMatchObject({
        status: 200,
        headers: { 'cache-control': 'no-cache', 'content-type': 'text/html; charset=utf-8' },
      });
      expect(page.headers['content-security-policy']).toMatch(/^default-src 'self';(?!.*unsafe)/);
      const head = await get(base, '/style.css?v=1', { host: new URL(base).host }, 'HEAD');
      expect(head).toMatchObject({
        status: 200,
        headers: { 'content-type': 'text/css; charset=utf-8' },
        text: '',
      });
      for (const path of [
        '/../cluster.ts',
        '/feed.ts',
        '/../server.ts',
        '/..%2fcluster.ts',
        '/%2e%2e/cluster.ts',
        '/....//cluster.ts',
        '//etc/passwd',
        '/.env',
        '/%00',
        '/%zz',
        '/a%5c..%5cb',
        '/server.ts',
        '/nope.html',
      ]) {
        expect([path, (await get(base, path, { host: new URL(base).host })).status]).toEqual([path, 404]);
      }
      expect(await get(base, '/', { host: new URL(base).host }, 'DELETE')).toMatchObject({ status: 405 });
    }
  });

  it('lets the todo page reach sockets and the control room, and names the node in every answer', async () => {
    const page = await get(cluster.url, '/');
    expect(page.headers['content-security-policy']).toContain(
      `connect-src 'self' ws: wss: ${cluster.controlUrl};`,
    );
    const config = await get(cluster.url, '/config.js');
    const node = config.headers['x-node'];
    expect(config.text).toBe(
      `window.demoConfig = ${JSON.stringify({ controlUrl: cluster.controlUrl, node })};\n`,
    );
    expect((await get(cluster.url, '/nope')).headers['x-node']).toMatch(/^[ab]$/);
    expect((await get(cluster.url, '/sockjs/info')).headers['x-node']).toMatch(/^[ab]$/);
  });
});
