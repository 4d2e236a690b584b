import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  nodeIdentity,
  type Client,
  type IdentityOptions,
  type NodeIdentity,
} from '../../src/server/index.ts';
import { Ear, until } from '../support/cluster-tools.ts';
import {
  startServer,
  createMemoryClient,
  createMeteorServer,
  type TestServer,
} from '../support/server-tools.ts';

const opened: { stop(): void }[] = [];
afterEach(() => {
  for (const { stop } of opened.splice(0)) stop();
});

function identity(options: IdentityOptions): NodeIdentity {
  const made = nodeIdentity(options);
  opened.push({ stop: () => made.close() });
  return made;
}

async function open(...args: Parameters<typeof startServer>): Promise<TestServer> {
  const made = await startServer(...args);
  opened.push(made);
  return made;
}

const alone = { msg: 'node', id: 'n1', spreadMs: 0 };

describe('a new client', () => {
  it('is told at once over ws and SockJS', async () => {
    const { url, webSockets, sockJs } = await open();
    const node = identity({ id: 'n1', clients: [webSockets, sockJs] });
    const plain = await new Ear(`${url}/ws`).opened();
    const framed = await new Ear(`${url}/sockjs/000/aaaaaaaa/websocket`).opened();
    const bare = await new Ear(`${url}/sockjs/websocket`).opened();
    expect(await plain.next()).toEqual(alone);
    expect(await bare.next()).toEqual(alone);
    await until('framed', () => framed.heard.length === 2);
    expect(framed.heard).toEqual(['o', `a${JSON.stringify([JSON.stringify(alone)])}`]);

    // The second `tell` sends nothing: the next frame is the other one.
    const [client] = webSockets.clients;
    node.tell(client!);
    client!.send('"next"');
    expect(await plain.next()).toBe('next');
  });

  it('is not told before tell(), where the server must not speak first', async () => {
    const { url, webSockets } = await open();
    const node = identity({ id: 'n1', clients: webSockets, greet: false });
    webSockets.on('connection', (client) =>
      client.on('message', () => {
        client.send(JSON.stringify({ msg: 'connected' }));
        node.tell(client);
      }),
    );
    const ear = await new Ear(`${url}/ws`).opened();
    ear.send({ msg: 'connect' });
    await until('both', () => ear.heard.length === 2);
    expect(ear.heard.map((text) => JSON.parse(text) as unknown)).toEqual([{ msg: 'connected' }, alone]);
  });

  it('of Meteor is told after `connected`', async () => {
    let meteor: ReturnType<typeof createMeteorServer> | undefined;
    const { url } = await open(undefined, ({ sockJs }) => (meteor = createMeteorServer(sockJs)));
    const node = identity({ id: 'n1', clients: meteor! });
    const ear = await new Ear(`${url}/sockjs/websocket`).opened();
    ear.send({ msg: 'connect' });
    await until('both', () => ear.heard.length === 2);
    expect(ear.heard.map((text) => (JSON.parse(text) as { msg: string }).msg)).toEqual(['connected', 'node']);
    node.close();
    const later = await new Ear(`${url}/sockjs/websocket`).opened();
    later.send({ msg: 'connect' });
    later.send({ msg: 'connect' });
    await until('two answers', () => later.heard.length === 2);
    expect(later.heard.every((text) => text.startsWith('{"msg":"connected"'))).toBe(true);
  });
});

describe('the spread', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  type Memory = ReturnType<typeof createMemoryClient>;
  const spreads = (client: Memory): unknown[] =>
    client.heard.map((notice) => (notice as { spreadMs: number }).spreadMs);

  function crowd(options: Partial<IdentityOptions> = {}) {
    const clients = new Set<Memory>();
    const node = identity({ id: 'n1', clients, ...options });
    const come = (count: number): Memory[] =>
      Array.from({ length: count }, () => {
        const client = createMemoryClient();
        clients.add(client);
        node.tell(client);
        return client;
      });
    return { clients, node, come };
  }

  it.each([
    [1, undefined, [0]],
    [3, undefined, [0]],
    [4, undefined, [0, 20]],
    [1000, undefined, [0, 5000]],
    [30, 1000, [0, 30]],
    [19, 1000, [0]],
    [1000, 1, [0, 60_000]],
  ])('of %i clients at %s per second', (count, acceptPerSecond, expected) => {
    const { come } = crowd(acceptPerSecond === undefined ? {} : { acceptPerSecond });
    const [first] = come(count);
    vi.advanceTimersByTime(1000);
    expect(spreads(first!)).toEqual(expected);
  });

  it('is announced again only when the number of clients has changed by a fifth', async () => {
    const { clients, come } = crowd({ acceptPerSecond: 1 });
    const [first, ...others] = come(10);
    await vi.advanceTimersByTimeAsync(1000);
    expect(spreads(first!)).toEqual([0, 10_000]);
    const [eleventh] = come(1);
    expect(spreads(eleventh!)).toEqual([10_000]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(spreads(first!)).toEqual([0, 10_000]);
    come(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(spreads(first!)).toEqual([0, 10_000, 12_000]);
    expect(spreads(eleventh!)).toEqual([10_000, 12_000]);
    for (const gone of others.slice(0, 2)) clients.delete(gone);
    await vi.advanceTimersByTimeAsync(1000);
    expect(spreads(first!)).toHaveLength(3);
    for (const gone of others.slice(2, 9)) clients.delete(gone);
    await vi.advanceTimersByTimeAsync(1000);
    expect(spreads(first!)).toEqual([0, 10_000, 12_000, 3_000]);
    expect(spreads(others[0]!)).toEqual([0, 10_000, 12_000]);
  });

  it('is announced at most once a second, even to a growing crowd', async () => {
    const { come } = crowd({ acceptPerSecond: 10 });
    const [first] = come(1);
    for (let i = 0; i < 30; i++) {
      come(5);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(spreads(first!)).toEqual([0, 5_100, 10_100, 15_100]);
  });

  it('is not announced to clients that were not told the node, nor after close()', async () => {
    const { clients, node, come } = crowd({ acceptPerSecond: 1 });
    const early = createMemoryClient();
    clients.add(early);
    const [first] = come(3);
    await vi.advanceTimersByTimeAsync(1000);
    expect([spreads(early), spreads(first!)]).toEqual([[], [0, 4_000]]);
    node.close();
    come(10);
    await vi.advanceTimersByTimeAsync(5000);
    expect(spreads(first!)).toEqual([0, 4_000]);
  });

  it('is announced to ten thousand clients in slices', async () => {
    const { come, clients } = crowd();
    come(10_000);
    const busy = [...clients];
    for (const client of busy) {
      const { heard } = client;
      Object.assign(client, {
        send(text: string) {
          for (const until = performance.now() + 0.02; performance.now() < until;);
          heard.push(JSON.parse(text));
        },
      });
    }
    vi.advanceTimersByTime(1000);
    expect(busy.filter(({ heard }) => heard.length === 2).length).toBeLessThan(1000);
    // No second round begins before the first one ends.
    come(2_000);
    vi.advanceTimersByTime(1000);
    expect(busy.some(({ heard }) => heard.length === 3)).toBe(false);
    await until('all are told', () => busy.every(({ heard }) => heard.length === 2));
    expect(spreads(busy.at(-1)!)).toEqual([0, 50_000]);
    await vi.advanceTimersByTimeAsync(1000);
    await until('all are told of the others', () => busy.every(({ heard }) => heard.length === 3));
    expect(spreads(busy.at(-1)!)).toEqual([0, 50_000, 60_000]);
  });
});

describe('bad options', () => {
  const clients = new Set<Client>();
  it.each<[Record<string, unknown>, string]>([
    [{ id: undefined }, 'options.id: expected 1 to 256 characters, got undefined'],
    [{ name: 'n1' }, 'options: expected id, clients, acceptPerSecond, greet, got "name"'],
    [{ id: '' }, 'options.id: expected 1 to 256 characters, got ""'],
    [{ id: 7 }, 'options.id: expected 1 to 256 characters, got 7'],
    [{ id: 'x'.repeat(257) }, `options.id: expected 1 to 256 characters, got "${'x'.repeat(76)}...`],
    [{ acceptPerSecond: 0.5 }, 'options.acceptPerSecond: expected a number from 1 to 1000000, got 0.5'],
    [{ acceptPerSecond: 'all' }, 'options.acceptPerSecond: expected a number from 1 to 1000000, got "all"'],
    [{ greet: 'no' }, 'options.greet: expected true or false, got "no"'],
    [{ clients: 5 }, 'options.clients: expected a ws or sockjs server, Meteor.server, a Set'],
  ])('%o', (options, message) => {
    const make = (): unknown => nodeIdentity({ id: 'n1', clients, ...options });
    expect(make).toThrow(RangeError);
    expect(make).toThrow(message);
  });

  it('missing options', () => {
    expect(() => nodeIdentity(null as never)).toThrow('options: expected an object, got null');
  });
});
