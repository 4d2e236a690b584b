/** A hostile server under a live DDPClient: real link, real client, only the socket is played. */
import fc from 'fast-check';
import { DDPClient } from '../../../src/ddp/index.ts';
import { isPong } from '../../../src/ddp/messages.ts';
import { hostile, wounded } from './inputs.ts';
import type { Target } from './targets.ts';
import { FuzzWorld, must, polluted, type FuzzSocket } from './world.ts';

const KINDS = [
  ...['added', 'changed', 'removed', 'addedBefore', 'movedBefore', 'ready', 'updated', 'result', 'nosub'],
  ...['ping', 'pong', 'connected', 'failed', 'error', 'node', 'drain'],
];
/** Those of which a message of this kind may say anything. */
const KNOWN = new Set<unknown>([...KINDS, undefined]);

const id = fc.constantFrom('1', '2', '3', '4', 'a', 'b', '-', '~1', '~{', '__proto__', 'constructor');
const ids = fc.array(id, { maxLength: 4 });
const sound: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  // Not the one whose documents must stay what they are.
  collection: fc.constantFrom('c', 'd', '__proto__', 'constructor', ''),
  ...{ id, before: fc.option(id), subs: ids, methods: ids, cleared: ids, version: id, reason: id },
  fields: fc.dictionary(fc.constantFrom('a', 'b', '_id', '__proto__', 'constructor'), hostile, {
    maxKeys: 3,
  }),
  error: fc.oneof(
    fc.record({ error: hostile, reason: hostile, message: hostile, details: hostile }),
    hostile,
  ),
  ...{
    result: hostile,
    session: id,
    server_id: id,
    afterMs: fc.double(),
    spreadMs: fc.double(),
    url: fc.webUrl(),
  },
  offendingMessage: fc.oneof(fc.record({ msg: fc.constantFrom('sub', 'method', 'ping'), id }), hostile),
};
const field = (right: fc.Arbitrary<unknown>) =>
  fc.option(fc.oneof({ weight: 4, arbitrary: right }, { weight: 1, arbitrary: hostile }), { nil: undefined });
const message = fc
  .tuple(
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom<unknown>(...KINDS) },
      { weight: 1, arbitrary: fc.oneof(fc.constant(undefined), fc.string(), hostile) },
    ),
    fc.record(Object.fromEntries(Object.entries(sound).map(([name, of]) => [name, field(of)])), {
      noNullPrototype: true,
    }),
  )
  .map(([msg, rest]) => JSON.stringify({ msg, ...rest }))
  // Only whoever publishes it may speak of it.
  .filter((text) => !text.includes('sound'));

export const frame: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 10, arbitrary: message },
  { weight: 2, arbitrary: wounded(message) },
  { weight: 1, arbitrary: hostile.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map(({ buffer }) => buffer) },
);

/** What must become of a frame, as far as that can be said without reading it as the client does. */
function expected(data: unknown): { malformed: boolean | undefined; unknown: boolean } {
  // Taken off by the link's heartbeat, which reads no further.
  if (isPong(data)) return { malformed: false, unknown: false };
  let value: unknown;
  try {
    value = JSON.parse(data as string);
  } catch {
    return { malformed: true, unknown: false };
  }
  if (typeof data !== 'string' || typeof value !== 'object' || value === null || Array.isArray(value))
    return { malformed: true, unknown: false };
  const { msg } = value as { msg?: unknown };
  if (KNOWN.has(msg))
    return { malformed: msg === undefined || msg === 'pong' ? false : undefined, unknown: false };
  return { malformed: typeof msg !== 'string', unknown: typeof msg === 'string' };
}

const DOCS = [
  { id: 'a', fields: { text: 'one', at: { $date: 5 }, list: [1, { deep: true }] } },
  { id: 'b', fields: { text: 'two' } },
];

/** A server that does all it should. */
function serve(socket: FuzzSocket, text: unknown): void {
  const { msg, id: of, name } = JSON.parse(text as string) as Record<string, string>;
  const say = (...messages: object[]) => {
    for (const one of messages) socket.says(JSON.stringify(one));
  };
  if (msg === 'connect') say({ msg: 'connected', session: 's' });
  if (msg === 'ping') say({ msg: 'pong', id: of });
  if (msg === 'method') say({ msg: 'result', id: of, result: 'done' }, { msg: 'updated', methods: [of] });
  if (msg !== 'sub') return;
  if (name === 'sound') for (const doc of DOCS) say({ msg: 'added', collection: 'sound', ...doc });
  say({ msg: 'ready', subs: [of] });
}

function checkValue(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  must(!Object.hasOwn(value, '__proto__'), 'a document with a key __proto__');
  const plain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  if (!plain) return;
  must(Object.isFrozen(value), 'a document that is not frozen');
  Object.values(value).forEach(checkValue);
}

/** A server that goes may ask its clients to spread over ten minutes; what dialling takes comes on top. */
const SPREAD_MS = 700_000;

async function play(frames: readonly unknown[], greeted: boolean): Promise<void> {
  const world = new FuzzWorld();
  try {
    let quiet = false;
    world.server = (socket, text) => {
      const { msg } = JSON.parse(text as string) as { msg: string };
      if (!quiet || msg === 'ping') serve(socket, text);
    };
    const options = { policy: 'fast', quiescenceTimeoutMs: 500, env: world.env } as const;
    const ddp = new DDPClient('wss://app.example/websocket', options);
    const told = { malformed: 0, unknown: 0 };
    ddp.on('error', ({ kind }) => (told.malformed += Number(kind === 'malformed')));
    ddp.on('warning', ({ kind }) => (told.unknown += Number(kind === 'notice')));
    const soundSub = ddp.subscribe('sound');
    let ready = false;
    soundSub.ready.then(() => (ready = true)).catch(() => {});
    if (greeted) must(await world.until(() => ready), 'a sound server is not understood');
    else {
      quiet = true;
      must(await world.until(() => world.last?.readyState === 1), 'no connection');
    }
    quiet = true;
    let settled = 0;
    const count = () => void (settled += 1);
    const pending = [
      ddp.apply('a'),
      ddp.apply('b', [], { retry: false }),
      ddp.apply('c', [], { wait: true }),
    ];
    for (const call of pending) call.then(count, count);
    const documents = ddp.collection('sound').find();
    let events = 0;
    const event = () => void (events += 1);
    ddp.collection('sound').observe({ changed: event, removed: event, moved: event });

    const socket = world.last!;
    for (const data of frames) {
      const was = ddp.stats();
      socket.says(data);
      const { malformedFrames, unknownMessages } = ddp.stats();
      if (!ddp.link.status.name.startsWith('on')) break;
      const wanted = expected(data);
      const malformed = malformedFrames - was.malformedFrames;
      must(malformed === 0 || malformed === 1, 'a frame counted more than once');
      must(
        wanted.malformed === undefined || malformed === Number(wanted.malformed),
        'malformed, and not counted so',
      );
      must(unknownMessages - was.unknownMessages === Number(wanted.unknown), 'unknown, and not counted so');
      must(told.malformed === malformedFrames && told.unknown === unknownMessages, 'counted, and not told');
    }
    must(!polluted(), 'a prototype was polluted');
    if (greeted) {
      must(ddp.collection('sound').find() === documents && events === 0, 'documents of others were touched');
      must(documents.length === 2 && documents[0]?.['text'] === 'one', 'documents are not what they were');
    }
    for (const name of ['c', 'd', '__proto__', 'constructor', ''])
      for (const doc of ddp.collection(name).find()) {
        must(['string', 'number', 'boolean'].includes(typeof doc._id), `an id of type ${typeof doc._id}`);
        checkValue(doc);
      }

    // From now on it is sound again: at once, and when that connection, and what was asked on it meanwhile, is lost.
    quiet = false;
    if (greeted) {
      let here = false;
      ddp
        .subscribe('here')
        .ready.then(() => (here = true))
        .catch(() => {});
      must(await world.until(() => here), `serves no subscription: ${ddp.status.name}`);
    }
    if (ddp.status.name !== 'closed') world.sockets.forEach((one) => one.end());
    let served = 0;
    const after = ddp.subscribe('after');
    const refused = ddp.status.name === 'closed' || ddp.status.name === 'failed';
    after.ready.then(() => (served += 1)).catch(() => {});
    ddp.apply('after', [], { timeoutMs: Infinity }).then(
      (value) => (served += Number(value === 'done')),
      () => {},
    );
    if (!refused)
      must(await world.until(() => served === 2, SPREAD_MS), `serves no more: ${ddp.status.name}`);
    else must(!greeted, 'closed by a frame after it was greeted');
    must(await world.until(() => settled === pending.length), 'a call never settles');
    ddp.close();
    await world.until(() => ddp.link.readyState === 3, 5_000);
    await world.until(() => false, 5_000);
    must(world.left() === 0, 'something is left when it is closed');
    must(world.problems.length === 0, world.problems.join('; '));
  } finally {
    world.dispose();
  }
}

const frames = fc.array(frame, { minLength: 1, maxLength: 40, size: 'max' });
export const ddpTargets: readonly Target[] = [
  {
    name: 'DDP messages to a client that is served',
    share: 5,
    size: (input) => (input as unknown[]).length,
    input: frames,
    check: (input) => play(input as unknown[], true),
  },
  {
    name: 'DDP messages before `connected`',
    share: 1,
    size: (input) => (input as unknown[]).length,
    input: frames,
    check: (input) => play(input as unknown[], false),
  },
];
