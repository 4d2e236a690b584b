/** Apps act where they are called: whatever they do there, no dial is left behind and nothing is lost. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FailoverError } from '../../src/core/api/errors.ts';
import { accepts, hangs, heartbeat, identify, named, sequence, World } from '../support/world.ts';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0';
const NOTHING = { timers: 0, listeners: 0, sockets: 0 };

let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

/** After that the first connection says nothing more, and is suspect. */
async function suspected(ws: ReturnType<World['link']>): Promise<void> {
  await world.pass(1_000);
  world.sockets[0]!.reply = () => undefined;
  while (ws.status.name !== 'suspect') await world.pass(10);
}

test('an entry that is sent when a suspect answers after all reconnects', async () => {
  world.behaviour = sequence(accepts(), accepts({ openAfterMs: 400 }));
  const ws = world.link({ policy: 'fast', heartbeat });
  await suspected(ws);
  let asked = 0;
  ws.subscriptions.set('a', () => {
    if (++asked === 1) ws.reconnect();
    return 'sub a';
  });
  world.sockets[0]!.serverSends('news', 0);
  await world.pass(5_000);
  expect(ws.status.name).toBe('online');
  expect(world.sockets.filter(({ readyState }) => readyState < 2)).toHaveLength(1);
  ws.close();
  await world.pass(2_000);
  expect(world.left).toEqual(NOTHING);
});

test('an entry throws there, and a listener of warnings reconnects while a standby is being promoted', async () => {
  world.behaviour = sequence(named('a'), named('b'), named('c'));
  const ws = world.link({ policy: 'fast', heartbeat, identify, standby: 'warm' });
  await world.pass(10_000);
  world.sockets[1]!.reply = () => undefined;
  await suspected(ws);
  ws.on('warning', () => ws.reconnect());
  ws.subscriptions.set('b', () => {
    throw new Error('not now');
  });
  await world.pass(20);
  world.sockets[0]!.serverSends('news', 0);
  await world.pass(10_000);
  ws.close();
  await world.pass(5_000);
  expect(world.left).toEqual(NOTHING);
});

test.each<[string, number, (ws: ReturnType<World['link']>) => void]>([
  ['closes', 2, (ws) => ws.close()],
  ['reconnects after a dial that hung', 3, (ws) => ws.reconnect()],
])('a provider %s', async (_, which, act) => {
  world.behaviour = sequence(accepts(), hangs(), accepts());
  let asked = 0;
  const ws = world.link({ policy: 'fast', heartbeat }, () => {
    if (++asked === which) act(ws);
    return 'wss://app.example/ws';
  });
  await world.pass(1_000);
  world.last.serverEnds();
  await world.pass(20_000);
  ws.close();
  await world.pass(5_000);
  expect(world.left).toEqual(NOTHING);
});

test('a listener reconnects when the page is left while the connection is suspect: it is down all the same', async () => {
  world.behaviour = sequence(accepts(), hangs(), accepts());
  const ws = world.link({ policy: 'fast', heartbeat });
  await suspected(ws);
  ws.once('attempt', () => ws.reconnect());
  world.page('hide');
  world.sockets[0]!.serverSends('of the former connection', 0);
  await world.pass(3_000);
  expect(world.log.filter((line) => / down /.test(line))).toHaveLength(1);
  expect(world.log.filter((line) => line.includes('of the former'))).toEqual([]);
});

test('an entry sets one that was replayed before it: the new value is sent, too', async () => {
  const ws = world.link({ policy: 'fast', heartbeat });
  let asked = 0;
  ws.subscriptions.set('token', 'token 0');
  ws.subscriptions.set('feed', () => {
    ws.subscriptions.set('token', `token ${++asked}`);
    return 'feed';
  });
  await world.pass(1_000);
  expect(world.last.received.filter((frame) => frame !== 'ping')).toEqual(['token 0', 'feed', 'token 1']);
});

test('an entry closes: no `open` after that', async () => {
  const ws = world.link({ policy: 'fast', heartbeat });
  let opens = 0;
  ws.addEventListener('open', () => (opens += 1));
  ws.subscriptions.set('feed', () => {
    ws.close();
    return 'feed';
  });
  await world.pass(3_000);
  expect(opens).toBe(0);
  expect(world.left).toEqual(NOTHING);
});

test('Firefox: a dial that is cancelled while it waits for its turn does not go out when it comes', async () => {
  world.userAgent = FIREFOX;
  const ws = world.link({ policy: 'fast', heartbeat });
  await world.pass(1_000);
  let free!: () => void;
  void world.locks!.request('failover-websocket:app.example', () => new Promise<void>((end) => (free = end)));
  const [first] = world.sockets;
  const { reply } = first!;
  await suspected(ws);
  first!.reply = reply;
  first!.serverSends('news', 0);
  await world.pass(100);
  free();
  await world.pass(1_000);
  expect(world.sockets).toHaveLength(1);
});

test('Firefox: what a provider says to a dial that is cancelled ends no link that is served', async () => {
  world.userAgent = FIREFOX;
  let shaken = 0;
  let refuse: ((error: Error) => void) | undefined;
  const ws = world.link(
    {
      policy: 'fast',
      heartbeat,
      handshake: () =>
        ++shaken === 2
          ? Promise.reject(new FailoverError('unauthorized', 'the token is old'))
          : Promise.resolve(),
    },
    ({ cause }) =>
      cause === 'unauthorized'
        ? new Promise<string>((_, reject) => (refuse = reject))
        : 'wss://app.example/ws',
  );
  const { reply } = world.sockets[0] ?? (await world.pass(1_000), world.sockets[0]!);
  await suspected(ws);
  while (!refuse && world.now < 20_000) await world.pass(10);
  world.sockets[0]!.reply = reply;
  world.sockets[0]!.serverSends('news', 0);
  await world.pass(100);
  refuse!(new Error('no more tokens'));
  await world.pass(1_000);
  expect(ws.status.name).toBe('online');
});

test('an address that a drain named is for that drain: the next outage begins with the usual ones', async () => {
  const allowedOrigins = ['wss://b.example'];
  const ws = world.link(
    { policy: 'fast', heartbeat, serverNotices: true, allowedOrigins },
    'wss://a.example/',
  );
  await world.pass(1_000);
  const drain = { msg: 'drain', afterMs: 10_000, spreadMs: 0 };
  world.sockets[0]!.serverSends(JSON.stringify(drain), 0);
  await world.pass(20);
  world.sockets[0]!.serverSends(JSON.stringify({ ...drain, url: 'wss://b.example/' }), 0);
  await world.pass(3_000);
  expect(ws.status.name).toBe('online');
  world.last.serverEnds();
  await world.pass(3_000);
  expect(ws.url).toBe('wss://a.example/');
});
