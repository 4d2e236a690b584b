import { afterEach, beforeEach, expect, test } from 'vitest';
import { DDPClient, type DDPOptions } from '../../../src/ddp/index.ts';
import { accepts, sequence, World, type Behaviour, type FakeSocket } from '../../support/world.ts';

// A real client on a real link: what a node tells apart that knows its user, or that hears nothing before it has said
// `connected`. 20 ms one way; an upgrade takes 80 ms.
let world: World;
let ddp: DDPClient;
beforeEach(() => void (world = new World()));
afterEach(async () => {
  ddp.close();
  await world.pass(2_000);
  expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
  world.dispose();
});

interface Node {
  /** From `connect` to `connected`: until then it refuses whatever it is told. */
  connectMs?: number;
  /** From a subscription's arrival to its one document and `ready`. */
  subMs?: number;
  /** From a method's arrival to its answer; Infinity: there is none. */
  methodMs?: number;
}
type Message = Record<string, unknown>;

const say = (socket: FakeSocket, ...messages: Message[]): undefined => {
  for (const message of messages) socket.serverSends(JSON.stringify(message));
};

/** The publication `private` wants a login. */
const node =
  ({ connectMs = 0, subMs = 0, methodMs = 0 }: Node = {}): Behaviour =>
  (socket) => {
    let connected = false;
    let user = false;
    const after = (ms: number, ...messages: Message[]): undefined => {
      if (ms < Infinity) setTimeout(() => say(socket, ...messages), ms);
    };
    const reply = (frame: unknown): undefined => {
      const message = JSON.parse(frame as string) as Message;
      const { msg, id } = message;
      if (msg === 'connect')
        return void setTimeout(() => {
          connected = true;
          say(socket, { msg: 'connected', session: 's' });
        }, connectMs);
      if (!connected)
        return say(socket, { msg: 'error', reason: 'Must connect first', offendingMessage: message });
      switch (msg) {
        case 'ping':
          return say(socket, { msg: 'pong' });
        case 'sub':
          if (message.name === 'private' && !user)
            return say(socket, { msg: 'nosub', id, error: { error: 403, reason: 'who are you?' } });
          return after(
            subMs,
            { msg: 'added', collection: 'c', id: message.name, fields: {} },
            { msg: 'ready', subs: [id] },
          );
        case 'method': {
          const login = message.method === 'login';
          user ||= login;
          return after(
            login ? 0 : methodMs,
            { msg: 'result', id, result: { id: 'u1', token: 't' } },
            { msg: 'updated', methods: [id] },
          );
        }
      }
    };
    accepts({ reply })(socket);
  };

const start = (nodes: Node[], options: DDPOptions = {}): void => {
  world.behaviour = sequence(...nodes.map(node));
  ddp = new DDPClient('wss://app.example/websocket', { policy: 'fast', env: world.env, ...options });
  ddp.on('error', ({ kind }) => world.say(`error ${kind}`));
  ddp.on('failover', ({ replayMs, replayed }) => world.say(`failover: ${replayed} in ${replayMs}`));
};
const drain = () => say(world.last, { msg: 'drain', afterMs: 8_000, spreadMs: 0 });
/** What a node was told, pings left out. */
const told = (number: number) =>
  world.sockets[number - 1]!.received.map((frame) => JSON.parse(frame as string) as Message)
    .filter(({ msg }) => !['ping', 'pong'].includes(msg as string))
    .map(({ msg, name, method }) => [msg, name, method].filter(Boolean).join(' '));

test('a node drains with a slow call under way: the private publication goes on at the next', async () => {
  start([{ methodMs: 2_000 }, {}]);
  await world.pass(500);
  void ddp.login({ user: 'u' });
  await world.pass(200);
  const sub = ddp.subscribe('private');
  await world.pass(200);
  void ddp.call('slow');
  drain();
  await world.pass(8_000);
  expect([told(2), sub.active, ddp.stats().failovers]).toEqual([
    ['connect', 'method login', 'sub private'],
    true,
    1,
  ]);
});

test('a node crashes while a call waits that nothing passes: the same', async () => {
  start([{ methodMs: Infinity }, {}]);
  await world.pass(500);
  void ddp.login({ user: 'u' });
  await world.pass(200);
  const sub = ddp.subscribe('private');
  await world.pass(200);
  const call = ddp.apply('alone', [], { wait: true });
  await world.pass(100);
  world.last.serverEnds();
  await world.pass(3_000);
  expect([told(2), sub.active]).toEqual([['connect', 'method login', 'sub private', 'method alone'], true]);
  await call;
});

test('a node crashes: the report counts as unconfirmed what is not sent again, and nothing else', async () => {
  start([{ methodMs: Infinity }, {}]);
  ddp.on('failover', ({ unconfirmedSends }) => world.say(`${unconfirmedSends} unconfirmed`));
  await world.pass(500);
  ddp.subscribe('one');
  const again = ddp.call('again');
  ddp.apply('once', [], { retry: false }).catch(({ kind }: { kind: string }) => world.say(`once ${kind}`));
  world.last.serverEnds();
  await world.pass(3_000);
  await again;
  expect(told(2)).toEqual(['connect', 'sub one', 'method again']);
  expect(world.story().map((line) => line.replace(/^\d+ /, ''))).toEqual(
    expect.arrayContaining(['once unconfirmed', '1 unconfirmed']),
  );
});

test('a node drains and dies: calls that may run once are not asked of the next', async () => {
  start([{ methodMs: Infinity }, {}]);
  await world.pass(500);
  for (const name of ['p', 'q'])
    ddp.apply(name, [], { retry: false }).catch(({ kind }: { kind: string }) => world.say(`${name} ${kind}`));
  void ddp.apply('alone', [], { wait: true });
  drain();
  await world.pass(1_000);
  expect([told(1), told(2)]).toEqual([['connect', 'method p', 'method q'], ['connect']]);
  world.sockets[0]!.serverEnds();
  await world.pass(1_000);
  expect(told(2)).toEqual(['connect', 'method alone']);
  expect(world.story().filter((line) => line.includes('unconfirmed'))).toEqual([
    '1500 p unconfirmed',
    '1500 q unconfirmed',
  ]);
});

test('a node that must be connected first, and a stored token: the private publication is there from the start', async () => {
  const tokenStorage = { getItem: () => 't', setItem() {}, removeItem() {} };
  start([{ connectMs: 100 }], { tokenStorage });
  const sub = ddp.subscribe('private');
  await world.pass(3_000);
  const flight = ['method login', 'sub private'];
  expect([told(1), sub.active]).toEqual([['connect', ...flight, ...flight], true]);
});

test('a failover to one: no error, and the report counts what was replayed and how long that took', async () => {
  start([{ connectMs: 100, subMs: 500 }]);
  await world.pass(500);
  ddp.subscribe('one');
  ddp.subscribe('two');
  await world.pass(3_000);
  world.story();
  world.last.serverEnds();
  await world.pass(3_000);
  // A round trip and 100 ms until it is connected, another and 500 ms until both are ready.
  expect(world.story()).toEqual(['3505 dial 2', '4265 failover: 2 in 680']);
});

test('a move to one: until it is exact, the node that drains is kept, and what that says is shown', async () => {
  start([{ connectMs: 100 }, { connectMs: 300, subMs: 500 }]);
  await world.pass(500);
  ddp.subscribe('one');
  await world.pass(3_000);
  const old = world.last;
  drain();
  await world.pass(350);
  say(old, { msg: 'added', collection: 'c', id: 'x', fields: {} });
  await world.pass(100);
  expect([told(2), old.closedWith, ddp.collection('c').size]).toEqual([['connect'], undefined, 2]);
  await world.pass(2_000);
  expect([told(2), old.closedWith?.code, ddp.collection('c').size]).toEqual([
    ['connect', 'sub one'],
    1000,
    1,
  ]);
});
