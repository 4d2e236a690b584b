/** A live FailoverWebSocket: bad options, bad addresses and providers, ends of every kind, servers that send it elsewhere. */
import fc from 'fast-check';
import { FailoverWebSocket } from '../../../src/core/facade/failover-websocket.ts';
import type { FailoverOptions, UrlSource } from '../../../src/core/api/options.ts';
import { POLICIES } from '../../../src/core/api/reconnect-policy.ts';
import { DDPClient } from '../../../src/ddp/index.ts';
import { overSockjs } from '../../../src/sockjs/link.ts';
import { anything, hostile, wounded } from './inputs.ts';
import { target, type Target } from './targets.ts';
import { FuzzWorld, must, polluted } from './world.ts';

const URL_HERE = 'wss://app.example/ws';
const POLICY_FIELDS = Object.keys(POLICIES.fast);
const option = (name: fc.Arbitrary<string>) =>
  name.chain((key) => anything.map((value) => ({ [key]: value })));
const part = (name: string, fields: readonly string[]) =>
  fc
    .dictionary(fc.constantFrom(...fields), anything, { maxKeys: 3, noNullPrototype: true })
    .map((value) => ({ [name]: value }));
const options: fc.Arbitrary<object> = fc.oneof(
  option(
    fc.constantFrom(
      'policy',
      'heartbeat',
      'hedge',
      'probe',
      'queue',
      'handshake',
      'identify',
      'serverNotices',
    ),
  ),
  option(
    fc.constantFrom(
      'allowedOrigins',
      'standby',
      'events',
      'log',
      'polcy',
      'quiescenceTimeoutMs',
      'callTimeoutMs',
      'tokenStorage',
    ),
  ),
  part('policy', [...POLICY_FIELDS, 'preset']),
  part('heartbeat', ['message', 'isReply', 'expectEveryMs', 'required']),
  part('probe', ['url', 'crossOrigin', 'timeoutMs']),
  part('queue', ['maxBytes', 'maxMessages', 'overflow']),
  fc.array(anything, { maxLength: 3 }).map((allowedOrigins) => ({ allowedOrigins })),
);

/** Puts a link that works through its paces, and closes it. */
async function live(world: FuzzWorld, ws: FailoverWebSocket): Promise<void> {
  must(
    await world.until(() => ws.readyState === 1 || ws.status.name === 'failed', 600_000),
    `never online: ${ws.status.name}`,
  );
  world.sockets.forEach((socket) => socket.end());
  await world.until(() => ws.readyState === 1, 600_000);
  await close(world, ws);
}

async function close(world: FuzzWorld, ws: FailoverWebSocket): Promise<void> {
  ws.close();
  must(await world.until(() => ws.readyState === 3, 60_000), 'never closed');
  await world.until(() => false, 1_000);
  must(world.left() === 0, 'something is left when it is closed');
  must(world.problems.length === 0, world.problems.join('; '));
  must(!polluted(), 'a prototype was polluted');
}

async function inWorld(play: (world: FuzzWorld) => Promise<void>): Promise<void> {
  const world = new FuzzWorld();
  try {
    await play(world);
  } finally {
    world.dispose();
  }
}

/** Whoever passes what no text can be made of (a symbol in a list of origins, an object without a prototype) hears a TypeError. */
function printable(value: unknown): boolean {
  try {
    for (const one of [value, ...(typeof value === 'object' && value ? Object.values(value).flat() : [])])
      must(`${one as string}`.length >= 0, '');
    return true;
  } catch {
    return false;
  }
}

/** @returns undefined if it was refused, as it should be: with a RangeError that names the option */
function made<T>(given: object, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    const [[name, value]] = Object.entries(given) as [[string, unknown]];
    if (error instanceof TypeError && !printable(value)) return undefined;
    must(error instanceof RangeError, `no RangeError: ${(error as Error).stack}`);
    must(
      error.message.startsWith(name) || /^(options|policy|identify)/.test(error.message),
      `does not name ${name}: ${error.message}`,
    );
    return undefined;
  }
}

const secret = 'secret';
const answer: fc.Arbitrary<unknown> = fc.oneof(
  anything,
  wounded(fc.constant(`wss://user:${secret}@app.example/ws?token=${secret}`)),
  fc.array(fc.oneof(anything, fc.webUrl(), wounded(fc.constant(URL_HERE))), { maxLength: 3 }),
);
const code = fc.oneof(
  fc.integer({ min: -1, max: 65_536 }),
  fc.constantFrom(1001, 1006, 1011, 1012, 1013, 1014, 1015, NaN),
);
const notice = fc.record(
  {
    msg: fc.constantFrom('drain', 'node'),
    ...{ id: hostile, afterMs: fc.oneof(fc.double(), hostile), spreadMs: fc.oneof(fc.double(), hostile) },
    url: fc.oneof(
      fc.constantFrom(
        'wss://good.example/x',
        'https://good.example',
        'wss://good.example.evil.example/',
        '//evil.example',
        'wss://good.example@evil.example/',
      ),
      fc.webUrl(),
      hostile,
    ),
  },
  { requiredKeys: ['msg'] },
);

export const linkTargets: readonly Target[] = [
  target('options of FailoverWebSocket', 1, options, (given) =>
    inWorld(async (world) => {
      const own = given as FailoverOptions;
      const ws = made(given, () => new FailoverWebSocket(URL_HERE, undefined, { ...own, env: world.env }));
      if (ws) await live(world, ws);
    }),
  ),
  target('options of DDPClient', 1, options, (given) =>
    inWorld(async (world) => {
      const own = given as FailoverOptions;
      const ddp = made(given, () => new DDPClient(URL_HERE, { ...own, env: world.env }));
      if (!ddp) return;
      await world.until(() => ddp.link.readyState === 1, 600_000);
      await close(world, ddp.link);
    }),
  ),
  target(
    'addresses and providers',
    1,
    fc.tuple(answer, fc.constantFrom('as it is', 'returned', 'resolved', 'thrown', 'rejected')),
    ([value, how]) =>
      inWorld(async (world) => {
        const provide = {
          'as it is': value,
          returned: () => value,
          resolved: () => Promise.resolve(value),
          thrown: () => {
            throw value;
          },
          rejected: () => Promise.reject(value),
        }[how];
        let ws: FailoverWebSocket;
        try {
          ws = new FailoverWebSocket(provide as UrlSource, undefined, {
            policy: 'fast',
            env: world.env,
            probe: false,
          });
        } catch (error) {
          if (error instanceof TypeError && !printable(value)) return;
          must(
            error instanceof DOMException && error.name === 'SyntaxError',
            `no SyntaxError: ${String(error)}`,
          );
          return;
        }
        const told: string[] = [];
        ws.on('attempt', ({ url }) => told.push(url));
        await world.until(() => ws.readyState === 1, 30_000);
        for (const url of told.filter(Boolean)) {
          const { username, password, search, hash } = new URL(url);
          must(username + password + search + hash === '', `tells too much: ${url}`);
        }
        for (const { url } of world.sockets) must(/^wss?:/.test(url), `dials ${url}`);
        must(ws.readyState < 2 || typeof value === 'function', 'ended by an answer of its provider');
        await close(world, ws);
      }),
  ),
  target(
    'close codes and reasons',
    1,
    fc.array(fc.tuple(code, fc.string(), fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 6 }),
    (ends) =>
      inWorld(async (world) => {
        const ws = new FailoverWebSocket(URL_HERE, undefined, { policy: 'fast', env: world.env });
        const left = [...ends];
        world.dialled = (socket) =>
          queueMicrotask(() => {
            const [next] = left;
            if (!next?.[3]) socket.open();
            else if (left.shift()) socket.end(next[0], next[1], next[2]);
          });
        while (left.length) {
          must(
            await world.until(() => ws.readyState === 1 || !left.length, 600_000),
            `never online: ${ws.status.name}`,
          );
          const next = left[0];
          if (next && !next[3])
            world.last!.end(...(left.shift()!.slice(0, 3) as [unknown, unknown, unknown]));
          else if (next) world.last!.end();
        }
        must(await world.until(() => ws.readyState === 1, 600_000), `never online again: ${ws.status.name}`);
        await close(world, ws);
      }),
  ),
  target('hints of a server', 1, fc.array(notice, { minLength: 1, maxLength: 4 }), (notices) =>
    inWorld(async (world) => {
      const ws = new FailoverWebSocket(URL_HERE, undefined, {
        ...{ policy: 'fast', serverNotices: true, allowedOrigins: ['https://good.example'], env: world.env },
      });
      for (const one of notices) {
        must(
          await world.until(() => ws.readyState === 1 && ws.status.name === 'online', 600_000),
          `not online: ${ws.status.name}`,
        );
        world.sockets.forEach((socket) => socket.says(JSON.stringify(one)));
      }
      must(await world.until(() => ws.status.name === 'online', 700_000), `not online: ${ws.status.name}`);
      for (const { url } of world.sockets)
        must(/^wss:\/\/(app|good)\.example(\/|$)/.test(url), `was sent to ${url}`);
      await close(world, ws);
    }),
  ),
  target(
    'answers to a probe',
    1,
    fc.array(
      fc.record({
        status: fc.oneof(fc.integer(), anything),
        value: fc.string(),
        url: anything,
        type: anything,
        rejects: fc.boolean(),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    (answers) =>
      inWorld(async (world) => {
        const ws = new FailoverWebSocket(URL_HERE, undefined, { policy: 'fast', env: world.env });
        let asked = 0;
        world.fetchAnswer = async () => {
          const { status, value, url, type, rejects } = answers[asked++ % answers.length]!;
          if (rejects) throw new TypeError(value);
          return { status, url, type, body: undefined, headers: { get: () => value } };
        };
        world.dialled = (socket) => queueMicrotask(() => socket.end());
        await world.until(() => asked >= answers.length, 300_000);
        must(asked > 0, 'nobody asked');
        world.dialled = (socket) => queueMicrotask(() => socket.open());
        must(await world.until(() => ws.readyState === 1, 60_000), `not online: ${ws.status.name}`);
        await close(world, ws);
      }),
  ),
  target(
    'SockJS frames to a live socket',
    1,
    fc.array(
      fc.oneof(
        fc.array(fc.string(), { maxLength: 3 }).map((list) => `a${JSON.stringify(list)}`),
        fc.constantFrom('o', 'h', 'c[3000,"Go away!"]'),
        wounded(fc.constantFrom('o', 'h', 'a["x","y"]', 'c[1000,""]')),
        anything,
      ),
      { minLength: 1, maxLength: 12 },
    ),
    (frames) =>
      inWorld(async (world) => {
        world.dialled = (socket) => queueMicrotask(() => (socket.open(), socket.says('o')));
        const ws = overSockjs('wss://app.example/sockjs', { policy: 'fast', env: world.env });
        const heard: unknown[] = [];
        ws.addEventListener('message', ({ data }) => heard.push(data));
        must(await world.until(() => ws.readyState === 1), 'never online');
        const wanted: unknown[] = [];
        let over = false;
        for (const frame of frames) {
          // Read by other means than the framing does: the rest of an `a` frame is an array of texts, or the session is over.
          if (!over && typeof frame === 'string' && /^a\[/.test(frame)) {
            try {
              const list = JSON.parse(frame.slice(1)) as unknown[];
              if (list.every((one) => typeof one === 'string')) wanted.push(...list);
              else over = true;
            } catch {
              over = true;
            }
          } else over ||= frame !== 'h';
          world.sockets[0]!.says(frame);
          await world.until(() => true);
        }
        must(
          JSON.stringify(heard) === JSON.stringify(wanted),
          `heard ${JSON.stringify(heard)}, sent ${JSON.stringify(wanted)}`,
        );
        must(await world.until(() => ws.readyState === 1), `not online again: ${ws.status.name}`);
        await close(world, ws);
      }),
  ),
];
