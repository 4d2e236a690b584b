import type { ServerResponse } from 'node:http';
import { Agent, get } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import {
  drain,
  type Client,
  type Drain,
  type DrainOptions,
  type HttpServer,
} from '../../src/server/index.ts';
import { Ear, until } from '../support/cluster-tools.ts';
import {
  startServer,
  createMemoryClient,
  createMeteorServer,
  connectRaw,
  upgradeRequest,
  openXhrStreaming,
  type TestServer,
} from '../support/server-tools.ts';

const servers: TestServer[] = [];
afterEach(() => {
  for (const { stop } of servers.splice(0)) stop();
});

async function open(...args: Parameters<typeof startServer>): Promise<TestServer> {
  const opened = await startServer(...args);
  servers.push(opened);
  return opened;
}

/** The drain is started by hand, in this process. */
const own = { signals: [], exit: false } as const;
/** Longer than any test may take: what ends earlier did not wait for this time. */
const never = 600_000;

describe('a node that drains', () => {
  it('tells all clients, refuses upgrades, goes on serving, closes the remaining clients with 1012, then the server', async () => {
    const events: string[] = [];
    const { url, port, server, webSockets, sockJs } = await open();
    const elsewhere: string[] = [];
    server.on('upgrade', ({ url }) => elsewhere.push(String(url)));
    const memory = createMemoryClient();
    const leaving = drain(server, {
      ...own,
      clients: [webSockets, sockJs, new Set([memory])],
      afterMs: 700,
      spreadMs: 300,
      url: 'wss://other.example',
      onDrain: () => events.push('drain'),
      onDrained: () => events.push(`drained, listening: ${server.listening}`),
    });
    const plain = await new Ear(`${url}/ws`).opened();
    const framed = await new Ear(`${url}/sockjs/000/aaaaaaaa/websocket`).opened();
    const bare = await new Ear(`${url}/sockjs/websocket`).opened();
    const streaming = openXhrStreaming(url, 'bbbbbbbb');
    await until('SockJS is open', () => framed.heard.includes('o') && streaming.heard.includes('o\n'));
    elsewhere.length = 0;

    expect(leaving.draining).toBe(false);
    const started = leaving.start();
    expect(leaving.draining).toBe(true);
    expect(leaving.start()).toBe(started);
    const notice = { msg: 'drain', afterMs: 700, spreadMs: 300, url: 'wss://other.example' };
    const text = JSON.stringify(notice);
    await until('the notices', () =>
      [memory.heard[0], plain.heard[0], framed.heard[1], bare.heard[0]].every(Boolean),
    );
    expect(memory.heard).toEqual([notice]);
    expect([plain.heard, framed.heard, bare.heard]).toEqual([
      [text],
      ['o', `a${JSON.stringify([text])}`],
      [text],
    ]);
    await until('the notice over XHR', () => streaming.heard.endsWith(`a${JSON.stringify([text])}\n`));

    for (const path of ['/ws', '/sockjs/000/cccccccc/websocket', '/sockjs/websocket', '/other']) {
      const refused = await connectRaw(port, upgradeRequest(path));
      await until('the refusal ends', () => refused.closed);
      expect(refused.received).toMatch(/^HTTP\/1\.1 503 .*\r\nConnection: close\r\nRetry-After: 1\r\n/s);
    }
    expect(elsewhere).toEqual([]);
    expect(await (await fetch(`${url}/page`)).text()).toBe('ok');
    expect([plain.closed, framed.closed, bare.closed, memory.closed]).toEqual([
      undefined,
      undefined,
      undefined,
      [],
    ]);

    await started;
    await until('all hear of it', () => plain.closed && framed.closed && bare.closed && streaming.ended);
    expect([plain.closed, bare.closed]).toEqual([
      { code: 1012, reason: 'service restart' },
      { code: 1000, reason: 'Normal closure' },
    ]);
    expect(framed.heard.at(-1)).toBe('c[1012,"service restart"]');
    expect(streaming.heard).toContain('c[1012,"service restart"]');
    expect(memory.closed).toEqual([[1012, 'service restart']]);
    expect(memory.heard).toHaveLength(1);
    expect(events).toEqual(['drain', 'drained, listening: false']);
    await leaving.start();
    expect(events).toHaveLength(2);
  });

  it('ends as soon as all clients have gone', async () => {
    const { url, server, webSockets } = await open();
    const ear = await new Ear(`${url}/ws`).opened();
    const started = drain(server, { ...own, clients: webSockets, afterMs: never }).start();
    await ear.next(({ msg }) => msg === 'drain');
    ear.socket.close();
    await started;
    expect(server.listening).toBe(false);
  });

  it('does not wait for idle connections', async () => {
    let used: TestServer | undefined;
    const { url, port, server } = (used = await open());
    const started = drain(server, { ...own, clients: used.webSockets, afterMs: never });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await new Promise<void>((done) =>
      get(`${url}/`, { agent }, (response) => response.resume().on('end', done)),
    );
    const silent = await connectRaw(port);
    await until('both are known', () => connections(server).then((count) => count === 2));
    await started.start();
    await until('the silent one ends', () => silent.closed);
    agent.destroy();
  });

  it('cuts off a client that never answers the closing handshake', async () => {
    const { port, server, webSockets } = await open();
    const leaving = drain(server, { ...own, clients: webSockets, afterMs: 0, graceMs: 100 });
    const mute = await connectRaw(port, upgradeRequest('/ws'));
    await until('it is open', () => mute.received.includes(' 101 '));
    await leaving.start();
    await until('it is cut off', () => mute.closed);
    expect(server.listening).toBe(false);
  });

  it('cuts off a WebSocket that is not among its clients', async () => {
    const { port, server } = await open();
    const leaving = drain(server, { ...own, clients: new Set<Client>(), afterMs: 0, graceMs: 50 });
    const unknown = await connectRaw(port, upgradeRequest('/ws'));
    await until('it is open', () => unknown.received.includes(' 101 '));
    await leaving.start();
    await until('it is cut off', () => unknown.closed);
  });

  it('lets a request under way end, then closes its connection', async () => {
    let answering: ServerResponse | undefined;
    const { url, server, webSockets } = await open((_, response) => (answering = response));
    // Neither side closes the connection by itself.
    server.keepAliveTimeout = 0;
    const agent = new Agent({ keepAlive: true });
    const leaving = drain(server, { ...own, clients: webSockets, afterMs: never });
    let heard = '';
    get(`${url}/slow`, { agent }, (response) => response.on('data', (data) => (heard += String(data))));
    await until('it is under way', () => answering);
    const started = leaving.start();
    await until('no more are accepted', () => !server.listening);
    answering!.end('at last');
    await started;
    await until('the answer', () => heard === 'at last');
    agent.destroy();
  });

  it('cuts off a request that never ends', async () => {
    let answering = false;
    const { url, server, webSockets } = await open(() => (answering = true));
    const leaving = drain(server, { ...own, clients: webSockets, afterMs: 100, graceMs: 50 });
    const answer = fetch(`${url}/stuck`).then(String, () => 'cut off');
    await until('it is under way', () => answering);
    await leaving.start();
    expect(await answer).toBe('cut off');
  });

  it('tells a latecomer how much time is left', async () => {
    const { url, server, webSockets, sockJs } = await open();
    const leaving = drain(server, { ...own, clients: [webSockets, sockJs], afterMs: never, spreadMs: never });
    const first = await new Ear(`${url}/ws`).opened();
    const started = leaving.start();
    await first.next(({ msg }) => msg === 'drain');
    const late = openXhrStreaming(url, 'dddddddd');
    const notice = await until('the notice', () => /\{\\"msg.*\}/.exec(late.heard)?.[0]);
    const { afterMs, spreadMs } = JSON.parse(notice.replaceAll('\\', '')) as Record<string, number>;
    expect(afterMs).toBeLessThan(never);
    expect(afterMs).toBeGreaterThan(never - 20_000);
    expect(spreadMs).toBe(afterMs);
    first.close();
    late.end();
    await started;
  });

  it('answers HTTP for lingerMs, even without clients', async () => {
    const { url, server, webSockets } = await open((_, response) => {
      response.statusCode = leaving.draining ? 503 : 200;
      response.end();
    });
    const leaving = drain(server, { ...own, clients: webSockets, lingerMs: 300 });
    const since = performance.now();
    const started = leaving.start();
    expect((await fetch(`${url}/up`)).status).toBe(503);
    await started;
    // Timers count whole milliseconds.
    expect(performance.now() - since).toBeGreaterThan(298);
  });

  it('closes each client once after afterMs, even if lingerMs is longer', async () => {
    const { server } = await open();
    const stuck = createMemoryClient();
    const clients = () => [stuck];
    await drain(server, { ...own, clients, afterMs: 10, lingerMs: 200, graceMs: 10 }).start();
    expect(stuck.closed).toEqual([[1012, 'service restart']]);
  });

  it('tells the other clients if one throws', async () => {
    const { server } = await open();
    const broken = createMemoryClient(() => {
      throw new Error('gone');
    });
    const other = createMemoryClient();
    const clients = new Set([broken, other]);
    await drain(server, { ...own, clients, afterMs: 10, graceMs: 10 }).start();
    expect(other.heard).toHaveLength(1);
    expect(other.closed).toHaveLength(1);
  });

  it('knows the clients of a Meteor server', async () => {
    let leaving: Drain | undefined;
    const { url } = await open(undefined, ({ server, sockJs }) => {
      leaving = drain(server, { ...own, clients: createMeteorServer(sockJs), afterMs: 100 });
    });
    const ear = await new Ear(`${url}/sockjs/websocket`).opened();
    const framed = await new Ear(`${url}/sockjs/000/aaaaaaaa/websocket`).opened();
    await until('SockJS is open', () => framed.heard[0] === 'o');
    await leaving!.start();
    await until('both hear of it', () => ear.closed && framed.closed);
    const notice = '{"msg":"drain","afterMs":100,"spreadMs":0}';
    expect(ear.heard).toEqual([notice]);
    expect(ear.closed).toEqual({ code: 1000, reason: 'Normal closure' });
    expect(framed.heard).toEqual(['o', `a${JSON.stringify([notice])}`, 'c[1012,"service restart"]']);
  });

  it('lets the event loop run while it tells ten thousand clients', async () => {
    const { server } = await open();
    const busy = (): void => {
      for (const until = performance.now() + 0.02; performance.now() < until;);
    };
    const clients = new Set(Array.from({ length: 10_000 }, () => createMemoryClient(busy)));
    let turns = 0;
    let told = false;
    const count = (): void => {
      turns++;
      if (!told) setImmediate(count);
    };
    setImmediate(count);
    const started = drain(server, { ...own, clients, afterMs: never }).start();
    await until('all are told', () => [...clients].every(({ heard }) => heard.length === 1));
    told = true;
    // 10 000 times 0.02 ms, in slices of 5 ms.
    expect(turns).toBeGreaterThan(30);
    clients.clear();
    await started;
  });

  it('takes options that are inherited, as from a class', async () => {
    const { server: one } = await open();
    const events: string[] = [];
    class Options {
      clients = new Set<Client>();
      signals = [];
      exit = false;
      afterMs = 10;
      graceMs = 10;
      onDrain() {
        events.push('drain');
      }
      onDrained() {
        events.push('drained');
      }
    }
    await drain(one, new Options()).start();
    expect(events).toEqual(['drain', 'drained']);
  });

  it('waits for onDrained for graceMs at most, and rejects with its error', async () => {
    const { server: one } = await open();
    const clients = new Set<Client>();
    await drain(one, { ...own, clients, graceMs: 20, onDrained: () => new Promise(() => {}) }).start();
    const { server: two } = await open();
    const failing = drain(two, {
      ...own,
      clients,
      onDrained: () => Promise.reject(new Error('no database')),
    });
    await expect(failing.start()).rejects.toThrow('no database');
    process.exitCode = 0;
  });

  it('uninstall() removes all listeners', async () => {
    const { server, webSockets, sockJs } = await open();
    const listeners = (): number[] => [
      process.listenerCount('SIGUSR2'),
      server.listenerCount('connection'),
      webSockets.listenerCount('connection'),
      sockJs.listenerCount('connection'),
    ];
    const before = listeners();
    const leaving = drain(server, { clients: [webSockets, sockJs], signals: ['SIGUSR2'], exit: false });
    expect(listeners()).not.toEqual(before);
    leaving.uninstall();
    expect(listeners()).toEqual(before);
  });
});

describe('the spread in the notice', () => {
  const spread = async (count: number, options: Partial<DrainOptions>): Promise<unknown> => {
    const { server } = await open();
    const clients = new Set(Array.from({ length: count }, () => createMemoryClient()));
    const [first] = clients;
    await drain(server, { ...own, clients, graceMs: 0, afterMs: 0, ...options, onDrain: () => {} }).start();
    return (first!.heard[0] as { spreadMs?: number } | undefined)?.spreadMs;
  };

  it.each([
    ['is 0 for one client', 1, { afterMs: 40 }, 0],
    ['fits acceptPerSecond for a crowd', 30, { afterMs: 100, acceptPerSecond: 1000 }, 30],
    [
      'is at most half of afterMs, so that the last client can still move',
      30,
      { afterMs: 100, acceptPerSecond: 1 },
      50,
    ],
    ['is the option spreadMs', 30, { afterMs: 100, spreadMs: 100 }, 100],
    ['is 0 if the option spreadMs is 0', 30, { afterMs: 100, acceptPerSecond: 1, spreadMs: 0 }, 0],
  ])('%s', async (_, count, options, expected) => {
    expect(await spread(count, options)).toBe(expected);
  });
});

describe('bad options', () => {
  const clients = new Set<Client>();
  it.each<[Record<string, unknown>, string]>([
    [{ afterMs: -1 }, 'options.afterMs: expected a number from 0 to 600000, got -1'],
    [{ afterMs: NaN }, 'options.afterMs: expected a number from 0 to 600000, got NaN'],
    [{ afterMs: '5' }, 'options.afterMs: expected a number from 0 to 600000, got "5"'],
    [{ afterMs: 10, spreadMs: 11 }, 'options.spreadMs: expected a number from 0 to 10, got 11'],
    [{ acceptPerSecond: 0 }, 'options.acceptPerSecond: expected a number from 1 to 1000000, got 0'],
    [{ lingerMs: Infinity }, 'options.lingerMs: expected a number from 0 to 600000, got Infinity'],
    [{ graceMs: null }, 'options.graceMs: expected a number from 0 to 60000, got null'],
    [
      { signals: 'SIGTERM' },
      'options.signals: expected an array of names of signals that can be handled, got "SIGTERM"',
    ],
    [
      { signals: ['SIGKILL'] },
      'options.signals: expected an array of names of signals that can be handled, got SIGKILL',
    ],
    [
      { signals: ['TERM'] },
      'options.signals: expected an array of names of signals that can be handled, got TERM',
    ],
    [{ signals: [15] }, 'options.signals: expected an array of names of signals that can be handled, got 15'],
    [{ exit: 1 }, 'options.exit: expected true or false, got 1'],
    [{ url: 'https://x' }, 'options.url: expected a ws or wss URL, got "https://x"'],
    [{ url: 'x' }, 'options.url: expected a ws or wss URL, got "x"'],
    [{ onDrain: 1 }, 'options.onDrain: expected a function, got 1'],
    [{ onDrained: {} }, 'options.onDrained: expected a function, got [object Object]'],
    [{ polite: true }, 'options: expected clients, afterMs, spreadMs, acceptPerSecond, url, lingerMs'],
    [{ clients: undefined }, 'options.clients: expected a ws or sockjs server, Meteor.server, a Set'],
    [{ clients: {} }, 'options.clients: expected a ws or sockjs server, Meteor.server, a Set'],
    [{ clients: [null] }, 'options.clients: expected a ws or sockjs server, Meteor.server, a Set'],
    [{ clients: 'all' }, 'options.clients: expected a ws or sockjs server, Meteor.server, a Set'],
  ])('%o', async (options, message) => {
    const { server } = await open();
    const before = process.listenerCount('SIGTERM');
    const install = (): unknown => drain(server, { clients, ...options });
    expect(install).toThrow(RangeError);
    expect(install).toThrow(message);
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  it('a missing server, missing options', async () => {
    const { server } = await open();
    expect(() => drain({} as HttpServer, { clients })).toThrow(
      'server: expected an http or https server of Node, got [object Object]',
    );
    expect(() => drain(undefined as never, { clients })).toThrow('server: expected an http or https server');
    expect(() => drain(server, undefined as never)).toThrow('options: expected an object, got undefined');
  });
});

const connections = (server: TestServer['server']): Promise<number> =>
  new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
