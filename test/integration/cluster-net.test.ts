import { connect, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ClusterError, startCluster, type Cluster, type Fault, type NodeId } from '../../demo/cluster.ts';
import { reserve } from '../../demo/net/ports.ts';
import {
  clusterProcesses,
  Ear,
  isGone,
  nodeUrl,
  processInfo,
  reach,
  stateOf,
  until,
} from '../support/cluster-tools.ts';

let cluster: Cluster;
const ears: Ear[] = [];

beforeAll(async () => {
  cluster = await startCluster({ gatewayTimeoutMs: 700, healthIntervalMs: 100 });
});
afterEach(async () => {
  for (const ear of ears.splice(0)) ear.close();
  await cluster.setRtt(0);
  await cluster.setHealth('gateway');
  for (const { id, app, network, health } of (await cluster.state()).nodes) {
    if (app !== 'running' || network !== 'ok' || health !== 'healthy') await cluster.apply(id, 'restart');
  }
});
afterAll(() => cluster.stop());

async function reached(node: NodeId): Promise<Ear> {
  const ear = await reach(cluster, node);
  ears.push(ear);
  return ear;
}

function dial(path: string, base = cluster.url): Ear {
  const ear = new Ear(base + path);
  ears.push(ear);
  return ear;
}

/** How an upgrade is answered. */
async function upgradeStatus(url: string): Promise<number> {
  const ear = new Ear(url);
  ears.push(ear);
  await until('the upgrade is answered', () => ear.error ?? ear.socket.readyState === 1);
  return ear.error ? Number(/(\d{3})$/.exec(ear.error.message)?.[1]) : 101;
}

async function echoes(ear: Ear, text: string): Promise<void> {
  ear.send(text);
  await until(`the echo of ${text}`, () => ear.heard.includes(text));
}

describe('both nodes up', () => {
  it('answers /up with the node, and through the balancer reaches both', async () => {
    for (const id of ['a', 'b'] as const) {
      const answer = await fetch(`${await nodeUrl(cluster, id)}/up`);
      expect([answer.status, answer.headers.get('x-node'), (await answer.text()).trim()]).toEqual([
        200,
        id,
        id,
      ]);
    }
    await reached('a');
    await reached('b');
  });

  it('serves the plain endpoint: ping, text and binary', async () => {
    const ear = await reached('a');
    ear.send('ping');
    await until('pong', () => ear.heard.includes('pong'));
    await echoes(ear, 'hällo');
    const binary = new Promise((resolve) =>
      ear.socket.once('message', (data, isBinary) => resolve([isBinary, data])),
    );
    ear.socket.send(Buffer.from([0, 255, 1]));
    expect(await binary).toEqual([true, Buffer.from([0, 255, 1])]);
  });

  it('answers unknown upgrade paths with 404', async () => {
    expect(await upgradeStatus(`${cluster.url}/nowhere`)).toBe(404);
  });
});

describe('app stopped or killed', () => {
  it.each(['stop', 'kill'] as const)(
    '%s: sockets end, the gateway answers 502 at once, the other node serves',
    async (fault) => {
      const ear = await reached('a');
      const { pid } = await stateOf(cluster, 'a');
      const before = performance.timeOrigin + performance.now();
      const { at } = await cluster.apply('a', fault);
      expect(at).toBeGreaterThanOrEqual(before);
      expect(isGone(pid as number)).toBe(true);
      await until('the socket ends', () => ear.closed);
      expect(ear.closed).toEqual({ code: 1006, reason: '' });

      const gateway = await nodeUrl(cluster, 'a');
      expect((await fetch(`${gateway}/up`)).status).toBe(502);
      expect(await upgradeStatus(`${gateway}/ws`)).toBe(502);
      expect((await fetch(`${gateway}/gateway-health`)).status).toBe(200);
      await reached('b');

      await cluster.apply('a', 'restart');
      expect((await stateOf(cluster, 'a')).pid).not.toBe(pid);
      await reached('a');
    },
  );

  it('stays in when the check asks the gateway; is ejected and comes back when it asks the app', async () => {
    await cluster.apply('a', 'stop');
    // The balancer hands out about half of the new connections to the dead node.
    await until('a 502 through the balancer', async () => (await upgradeStatus(`${cluster.url}/ws`)) === 502);
    expect((await stateOf(cluster, 'a')).health).toBe('healthy');

    await cluster.setHealth('app');
    await until('ejection', async () => (await stateOf(cluster, 'a')).health === 'ejected');
    const statuses = await Promise.all(Array.from({ length: 20 }, () => upgradeStatus(`${cluster.url}/ws`)));
    expect(statuses).toEqual(Array.from({ length: 20 }, () => 101));

    await cluster.apply('a', 'restart');
    expect((await stateOf(cluster, 'a')).app).toBe('running');
    await until('taken in again', async () => (await stateOf(cluster, 'a')).health === 'healthy');
    await reached('a');
  });

  it('uses all nodes when all are ejected', async () => {
    await cluster.setHealth('app');
    await Promise.all([cluster.apply('a', 'kill'), cluster.apply('b', 'kill')]);
    await until('both ejected', async () =>
      (await cluster.state()).nodes.every(({ health }) => health === 'ejected'),
    );
    expect(await upgradeStatus(`${cluster.url}/ws`)).toBe(502);
  });
});

describe('app hung', () => {
  it('is stopped by the kernel; the gateway answers 504 after its timeout and ends silent sockets', async () => {
    const ear = await reached('a');
    await cluster.apply('a', 'hang');
    const { pid, app } = await stateOf(cluster, 'a');
    expect([app, processInfo(pid as number)?.state]).toEqual(['hung', 'T']);

    const gateway = await nodeUrl(cluster, 'a');
    const started = performance.now();
    const [page, upgrade] = await Promise.all([fetch(`${gateway}/up`), upgradeStatus(`${gateway}/ws`)]);
    expect([page.status, upgrade]).toEqual([504, 504]);
    expect(performance.now() - started).toBeGreaterThan(650);
    await until('the silent socket ends', () => ear.closed);
  });

  it('goes on where it was when it is repaired', async () => {
    const ear = await reached('a');
    const { pid } = await stateOf(cluster, 'a');
    await cluster.apply('a', 'hang');
    ear.send('kept by the kernel');
    await cluster.apply('a', 'restart');
    await until('the answer', () => ear.heard.includes('kept by the kernel'));
    expect((await stateOf(cluster, 'a')).pid).toBe(pid);
  });

  it('can be killed, and started anew', async () => {
    await cluster.apply('a', 'hang');
    await cluster.apply('a', 'stop');
    expect((await stateOf(cluster, 'a')).app).toBe('stopped');
    await cluster.apply('a', 'restart');
    await reached('a');
  });
});

describe('black hole', () => {
  it('swallows everything in both directions, and healed delivers what it kept', async () => {
    const [ear, other] = [await reached('a'), await reached('b')];
    await cluster.apply('a', 'blackhole');
    ear.send('into the void');
    await echoes(other, 'still here');
    await echoes(other, 'and again');
    expect(ear.heard).toEqual([]);
    expect(ear.closed).toBeUndefined();

    await cluster.apply('a', 'restart');
    await until('the late echo', () => ear.heard.includes('into the void'));
  });

  it('lets no FIN or RST out, hangs new connections, fails health checks', async () => {
    const ear = await reached('a');
    await cluster.apply('a', 'blackhole');
    await cluster.apply('a', 'kill');
    const dials = Array.from({ length: 24 }, () => dial('/ws'));
    await until('ejection', async () => (await stateOf(cluster, 'a')).health === 'ejected');
    await until('those of the other node open', () => dials.some(({ socket }) => socket.readyState === 1));
    await reached('b');
    expect(ear.closed).toBeUndefined();
    const hanging = dials.filter(({ socket, error }) => socket.readyState === 0 && !error);
    expect(hanging.length).toBeGreaterThan(0);

    await cluster.apply('a', 'restart');
    await until('the old one ends', () => ear.closed);
    await until('the hanging ones open', () => hanging.every(({ socket }) => socket.readyState === 1));
  });

  it('leaves established flows alone on ejection', async () => {
    const ear = await reached('a');
    await cluster.setHealth('app');
    await cluster.apply('a', 'drain');
    await until('ejection', async () => (await stateOf(cluster, 'a')).health === 'ejected');
    await echoes(ear, 'established');
  });
});

describe('drain', () => {
  let draining: Cluster;
  // Of its own: the other one's gateways would end these quiet sockets first.
  beforeAll(async () => {
    draining = await startCluster();
  });
  afterAll(() => draining.stop());

  it('tells the clients, refuses new ones, closes the rest with 1012 and exits', async () => {
    const plain = await reach(draining, 'a');
    const gateway = await nodeUrl(draining, 'a');
    const ddp = await dial('/websocket', gateway).opened();
    const sockjs = await dial('/sockjs/000/abcdefgh/websocket', gateway).opened();
    ddp.send({ msg: 'connect', version: '1', support: ['1'] });
    await ddp.next(({ msg }) => msg === 'connected');

    await draining.apply('a', 'drain');
    expect((await stateOf(draining, 'a')).app).toBe('draining');
    const notice = { msg: 'drain', afterMs: 2000, spreadMs: 1000 };
    expect(await plain.next(({ msg }) => msg === 'drain')).toEqual(notice);
    expect(await ddp.next(({ msg }) => msg === 'drain')).toEqual(notice);
    await until('the notice over SockJS', () =>
      sockjs.heard.includes(`a${JSON.stringify([JSON.stringify(notice)])}`),
    );
    expect((await fetch(`${gateway}/up`)).status).toBe(503);
    expect(await upgradeStatus(`${gateway}/ws`)).toBe(503);
    expect(await upgradeStatus(`${gateway}/sockjs/000/hgfedcba/websocket`)).toBe(503);
    await echoes(plain, 'served to the end');

    await until('all are closed', () => plain.closed && ddp.closed && sockjs.closed);
    expect([plain.closed?.code, ddp.closed?.code]).toEqual([1012, 1012]);
    expect(sockjs.heard).toContain('c[1012,"service restart"]');
    await until('the app ends', async () => (await stateOf(draining, 'a')).app === 'stopped');
  });

  it('ends when its clients have gone, then its gateway answers 502; restart brings a new one', async () => {
    const gateway = await nodeUrl(draining, 'b');
    const { pid } = await stateOf(draining, 'b');
    const client = await dial('/websocket', gateway).opened();
    const { at } = await draining.apply('b', 'drain');
    await client.next(({ msg }) => msg === 'drain');
    client.close();
    await until('the app ends', async () => (await stateOf(draining, 'b')).app === 'stopped');
    // Those who stayed would have had two seconds.
    expect(performance.timeOrigin + performance.now() - at).toBeLessThan(1900);
    expect(await upgradeStatus(`${gateway}/ws`)).toBe(502);

    await draining.apply('b', 'restart');
    const renewed = await stateOf(draining, 'b');
    expect(renewed.app).toBe('running');
    expect(renewed.pid).not.toBe(pid);
    await dial('/ws', gateway).opened();
  });

  it('is told to a node without clients, which ends, and is cut short by restart', async () => {
    await draining.apply('a', 'restart');
    await draining.apply('a', 'drain');
    await until('the app ends', async () => (await stateOf(draining, 'a')).app === 'stopped');

    const { pid } = await stateOf(draining, 'b');
    const staying = await dial('/ws', await nodeUrl(draining, 'b')).opened();
    await draining.apply('b', 'drain');
    await draining.apply('b', 'restart');
    await until('the old one ends', () => staying.closed);
    expect((await stateOf(draining, 'b')).app).toBe('running');
    expect((await stateOf(draining, 'b')).pid).not.toBe(pid);
  });
});

describe('network', () => {
  it('adds the round-trip time: an upgrade takes two, a message and its answer one', async () => {
    await cluster.setRtt(100);
    const { port } = new URL(cluster.url);
    const upgrades: number[] = [];
    for (let i = 0; i < 4; i++) {
      const started = performance.now();
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(
        'GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      const head = await new Promise((resolve) => socket.once('data', resolve));
      upgrades.push(performance.now() - started);
      expect(String(head)).toContain(' 101 ');
      socket.destroy();
    }
    // Never less; more only by the machine's own load, so the quickest counts.
    expect(Math.min(...upgrades)).toBeGreaterThan(195);
    expect(Math.min(...upgrades)).toBeLessThan(230);

    const ear = await reached('a');
    const trips: number[] = [];
    for (let i = 0; i < 4; i++) {
      const started = performance.now();
      await echoes(ear, `trip ${i}`);
      trips.push(performance.now() - started);
    }
    expect(Math.min(...trips)).toBeGreaterThan(97);
    expect(Math.min(...trips)).toBeLessThan(125);
  });

  it('delivers end and order with latency, also when it is lowered under way', async () => {
    await cluster.setRtt(120);
    const ear = await reached('a');
    for (let i = 0; i < 50; i++) {
      ear.send(String(i));
      if (i === 25) await cluster.setRtt(0);
    }
    await until('all echoes', () => ear.heard.length === 50);
    expect(ear.heard).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
    await cluster.apply('a', 'stop');
    await until('the end', () => ear.closed);
  });

  it('counts flows while their clients are there', async () => {
    const before = await until('no flow is left', async () => {
      const { nodes } = await cluster.state();
      return nodes.every(({ flows }) => flows === 0) && nodes;
    });
    expect(before).toHaveLength(2);
    const ear = await reached('b');
    await until('one flow', async () => (await stateOf(cluster, 'b')).flows === 1);
    ear.close();
    await until('none', async () => (await stateOf(cluster, 'b')).flows === 0);
  });
});

describe('bad orders', () => {
  it('refuses what the state does not allow', async () => {
    await cluster.apply('a', 'kill');
    for (const fault of ['kill', 'stop', 'hang', 'drain'] as const) {
      await expect(cluster.apply('a', fault)).rejects.toThrow(
        `Cannot ${fault} node a: its app is stopped. Restart the node first.`,
      );
    }
  });

  it('names option and value', async () => {
    await expect(cluster.setRtt(-1)).rejects.toThrow('ms must be a number from 0 to 2000, not -1');
    await expect(cluster.setRtt(NaN)).rejects.toThrow('not NaN');
    await expect(cluster.setHealth('both' as 'app')).rejects.toThrow(
      'health must be "gateway" or "app", not "both"',
    );
    await expect(cluster.apply('c' as NodeId, 'stop')).rejects.toThrow('node must be one of a, b, not "c"');
    await expect(cluster.apply('a', 'explode' as Fault)).rejects.toThrow('"explode"');
    await expect(startCluster({ port: 1.5 })).rejects.toThrow(
      'port must be a whole number from 0 to 65534, not 1.5',
    );
    await expect(startCluster({ healthIntervalMs: 1 })).rejects.toBeInstanceOf(ClusterError);
  });
});

describe('start, reset, stop', () => {
  it('says which port is in use, and leaves nothing behind', async () => {
    const before = clusterProcesses(process.pid);
    const port = Number(new URL(cluster.url).port);
    await expect(startCluster({ port })).rejects.toMatchObject({
      kind: 'port',
      message: `Port ${port + 1} is in use, and the control room needs it.`,
    });
    await expect(startCluster({ port: port - 1 })).rejects.toThrow(
      `Port ${port} is in use, and the control room needs it.`,
    );
    await expect(startCluster({ port: port + 1 })).rejects.toThrow(
      `Port ${port + 1} is in use, and the balancer needs it.`,
    );
    expect(clusterProcesses(process.pid).sort()).toEqual(before.sort());
  });

  it('resets whatever the state, and ends every process, stopped ones too', async () => {
    const own = await startCluster({ gatewayTimeoutMs: 700 });
    const before = new Set(clusterProcesses(process.pid));
    await own.apply('a', 'hang');
    await own.apply('b', 'blackhole');
    await own.apply('b', 'kill');
    await own.reset();
    expect((await own.state()).nodes.map(({ app, network, health }) => [app, network, health])).toEqual([
      ['running', 'ok', 'healthy'],
      ['running', 'ok', 'healthy'],
    ]);
    (await reach(own, 'a')).close();
    (await reach(own, 'b')).close();
    await own.apply('b', 'hang');
    const renewed = clusterProcesses(process.pid).filter((pid) => !before.has(pid));
    expect(renewed).toHaveLength(2);
    const late = [own.apply('a', 'restart'), own.apply('a', 'drain')].map((order) => order.catch(String));
    await own.stop();
    expect((await Promise.all(late))[1]).toBe(
      'ClusterError: Node a has ended with its cluster and takes no orders.',
    );
    await own.stop();
    // The six of the other cluster.
    expect(clusterProcesses(process.pid)).toHaveLength(6);
    await expect(fetch(own.url)).rejects.toThrow();
    await expect(fetch(own.controlUrl)).rejects.toThrow();
  });
});

it('an app’s port stays its own while it is stopped', async () => {
  const one = await reserve();
  const taken = createServer();
  await expect(
    new Promise((resolve, reject) =>
      taken.on('error', reject).listen(one.port, '127.0.0.2', () => resolve(1)),
    ),
  ).rejects.toThrow('EADDRINUSE');
  one.release();
  const many = await Promise.all(Array.from({ length: 20 }, () => reserve()));
  expect(new Set(many.map(({ port }) => port)).size).toBe(20);
  for (const { release } of many) release();
});
