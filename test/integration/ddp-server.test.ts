import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { DDPClient, type DDPOptions } from '../../src/ddp/index.ts';
import { until } from '../support/cluster-tools.ts';

interface Frame {
  msg: string;
  id: string;
  [key: string]: unknown;
}

/** A connection as the server sees it: what came in, and what it is told to say. */
class Peer {
  readonly frames: Frame[] = [];
  /** Takes in, but answers nothing any more, like a process that hangs. */
  mute = false;
  constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as Frame;
      if (frame.msg === 'ping') {
        if (!this.mute) this.say({ msg: 'pong' });
      } else this.frames.push(frame);
    });
  }

  say(...messages: (object | string)[]): void {
    for (const message of messages)
      this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async got(count: number): Promise<Frame[]> {
    return until(`${count} frames`, () => (this.frames.length >= count ? this.frames.splice(0) : undefined));
  }
}

/** The real client and link against a server that says what the test wants. */
let server: WebSocketServer;
let peers: Peer[];
let clients: DDPClient[];

beforeEach(async () => {
  peers = [];
  clients = [];
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    peers.push(new Peer(socket));
    socket.send('{"server_id":"0"}');
  });
  await once(server, 'listening');
});

afterEach(async () => {
  for (const client of clients) client.close();
  for (const peer of peers) peer.socket.terminate();
  await new Promise((resolve) => server.close(resolve));
});

function connect(options: DDPOptions = {}): { ddp: DDPClient; events: string[]; log: string[] } {
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/websocket/{attempt}`;
  const ddp = new DDPClient(url, {
    probe: false,
    env: { WebSocket },
    ...options,
  });
  clients.push(ddp);
  const events: string[] = [];
  ddp.on('error', ({ kind }) => events.push(`error ${kind}`));
  ddp.on('warning', ({ kind }) => events.push(`warning ${kind}`));
  const log: string[] = [];
  ddp.collection('c').observe({
    added: ({ _id }) => log.push(`+${_id}`),
    changed: ({ _id }) => log.push(`~${_id}`),
    removed: ({ _id }) => log.push(`-${_id}`),
  });
  return { ddp, events, log };
}

const peer = (number: number): Promise<Peer> => until(`connection ${number}`, () => peers[number - 1]);
const names = (frames: Frame[]): string[] =>
  frames.map(({ msg, name, method }) => [msg, name ?? method].filter(Boolean).join(' '));
const doc = (id: string, n = 1) => ({ msg: 'added', collection: 'c', id, fields: { n } });
const connected = { msg: 'connected', session: 's' };
const answer = (id: string, result: unknown) => [
  { msg: 'result', id, result },
  { msg: 'updated', methods: [id] },
];

describe('a DDP client on a real socket', () => {
  it('sends connect, login, subscriptions and calls before it has heard a word', async () => {
    const { ddp } = connect();
    const login = ddp.login({ user: 'u' });
    ddp.subscribe('s');
    const call = ddp.call('m');
    const first = await peer(1);
    const frames = await first.got(4);
    expect(names(frames)).toEqual(['connect', 'method login', 'sub s', 'method m']);
    first.say(connected, ...answer(frames[1]!.id, { token: 't' }), ...answer(frames[3]!.id, 5));
    expect([await login, await call]).toEqual([{ token: 't' }, 5]);

    first.socket.terminate();
    const second = await peer(2);
    expect(names(await second.got(3))).toEqual(['connect', 'method login', 'sub s']);
  });

  it('a server of another version is asked again in that version', async () => {
    const { ddp, events } = connect();
    const call = ddp.call('m');
    const first = await peer(1);
    await first.got(2);
    first.say({ msg: 'failed', version: 'pre2' });
    first.socket.close();
    const second = await peer(2);
    const frames = await second.got(2);
    expect(frames[0]).toMatchObject({ msg: 'connect', version: 'pre2' });
    second.say(connected, ...answer(frames[1]!.id, 'yes'));
    expect(await call).toBe('yes');
    expect(events).toEqual([]);
  });

  it('gives up on one that speaks none of ours, and leaves no socket', async () => {
    const { ddp, events } = connect();
    const call = ddp.call('m');
    const first = await peer(1);
    await first.got(2);
    first.say({ msg: 'failed', version: '2' });
    await expect(call).rejects.toMatchObject({ kind: 'handshake' });
    expect(events).toEqual(['error handshake']);
    await until('the socket is closed', () => first.socket.readyState === WebSocket.CLOSED);
    expect(ddp.status.name).toBe('closed');
    expect(peers).toHaveLength(1);
  });

  it('malformed, binary and unknown frames are dropped and counted, the connection is kept', async () => {
    const { ddp, events } = connect();
    const first = await peer(1);
    await first.got(1);
    first.say('{"msg":', connected, { msg: 'novel' }, `{"msg":"added","collection":"c","id":"x","fields":5}`);
    first.socket.send(Buffer.from([1, 2, 3]));
    first.say(doc('x'));
    await until('the document', () => ddp.collection('c').get('x'));
    expect(events).toEqual(['error malformed', 'warning notice', 'error malformed', 'error malformed']);
    expect(ddp.stats()).toMatchObject({ malformedFrames: 3, unknownMessages: 1, opens: 1 });
    expect(first.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('answers the server’s ping with its id', async () => {
    connect();
    const first = await peer(1);
    await first.got(1);
    first.say(connected, { msg: 'ping', id: '7' });
    expect(await first.got(1)).toEqual([{ msg: 'pong', id: '7' }]);
  });

  it('a second failure in the middle of the replay shows nothing half done', async () => {
    const { ddp, log, events } = connect();
    const sub = ddp.subscribe('s');
    const first = await peer(1);
    const id = (await first.got(2))[1]!.id;
    first.say(connected, doc('a'), doc('b'), { msg: 'ready', subs: [id] });
    await sub.ready;
    first.socket.terminate();

    const second = await peer(2);
    await second.got(2);
    second.say(connected, doc('a', 2), doc('ghost'));
    second.socket.terminate();

    const third = await peer(3);
    expect((await third.got(2))[1]!.id).toBe(id);
    third.say(connected, doc('a'), doc('c'), { msg: 'ready', subs: [id] });
    await until('the new document', () => ddp.collection('c').get('c'));
    expect(log).toEqual(['+a', '+b', '-b', '+c']);
    expect(events).toEqual([]);
  });

  it('a hang: calls made while suspect go to the replacement, each once, and no gap shows', async () => {
    const { ddp, log } = connect({ policy: 'fast' });
    const sub = ddp.subscribe('s');
    const first = await peer(1);
    const id = (await first.got(2))[1]!.id;
    first.say(connected, doc('a'), { msg: 'ready', subs: [id] });
    await sub.ready;
    const statuses: string[] = [];
    ddp.on('status', ({ name }) => statuses.push(name));
    const unsure = ddp.apply('unsure', [], { retry: false });
    const rejected = expect(unsure).rejects.toMatchObject({ kind: 'unconfirmed' });
    const sure = ddp.call('sure');
    expect(names(await first.got(2))).toEqual(['method unsure', 'method sure']);

    first.mute = true;
    await until('suspicion', () => ddp.status.name === 'suspect');
    const late = ddp.call('late');
    const second = await peer(2);
    const frames = await second.got(4);
    expect(names(frames)).toEqual(['connect', 'sub s', 'method sure', 'method late']);
    await rejected;
    second.say(connected, doc('a'), { msg: 'ready', subs: [id] });
    second.say(...answer(frames[2]!.id, 1), ...answer(frames[3]!.id, 2));
    expect([await sure, await late]).toEqual([1, 2]);
    expect(log).toEqual(['+a']);
    expect(statuses).not.toContain('connecting');
    // The link's own queue must not send again what the replay has sent.
    const echo = ddp.call('echo');
    expect(names(await second.got(1))).toEqual(['method echo']);
    expect(first.frames).toEqual([]);
    ddp.close();
    await expect(echo).rejects.toMatchObject({ kind: 'closed' });
  });

  it('a suspect that answers after all gets what was held back', async () => {
    const { ddp } = connect({ policy: 'fast' });
    const first = await peer(1);
    await first.got(1);
    first.say(connected);
    const call = ddp.call('early');
    const early = (await first.got(1))[0]!;
    // No replacement can be had.
    server.removeAllListeners('connection');
    server.on('connection', (socket) => socket.terminate());
    first.mute = true;
    await until('suspicion', () => ddp.status.name === 'suspect');
    const late = ddp.call('late');
    first.mute = false;
    first.say(...answer(early.id, 1));
    expect(await call).toBe(1);
    const frames = await first.got(1);
    expect(names(frames)).toEqual(['method late']);
    first.say(...answer(frames[0]!.id, 2));
    expect(await late).toBe(2);
  });

  it('a lost connection is no end, even where the app wants to hear of each', async () => {
    const { ddp } = connect({ events: 'per-connection' });
    const first = await peer(1);
    await first.got(1);
    first.socket.terminate();
    const second = await peer(2);
    await second.got(1);
    const call = ddp.call('m');
    const frames = await second.got(1);
    second.say(connected, ...answer(frames[0]!.id, 1));
    expect(await call).toBe(1);
  });

  it('close() settles everything and closes the socket', async () => {
    const { ddp } = connect();
    const call = ddp.call('m');
    const first = await peer(1);
    await first.got(2);
    ddp.close();
    await expect(call).rejects.toMatchObject({ kind: 'closed' });
    await until('the socket is closed', () => first.socket.readyState === WebSocket.CLOSED);
  });
});
