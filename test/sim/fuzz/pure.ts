/** EJSON, SockJS's framing, notices, answers over HTTP, what tabs share: functions of one input. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { engineOf, LEAK_MS } from '../../../src/core/env/engines.ts';
import { classifyClose } from '../../../src/core/rules/classify.ts';
import { createAbandonedHandshakes } from '../../../src/core/env/abandoned-handshakes.ts';
import { parseNotice } from '../../../src/core/rules/notices.ts';
import { newMemory, newOutage, nextWait } from '../../../src/core/rules/pacing.ts';
import { POLICIES } from '../../../src/core/api/reconnect-policy.ts';
import { classifyStatus, retryAfter } from '../../../src/core/link/probe.ts';
import { redactUrl } from '../../../src/core/link/endpoints.ts';
import { EJSON, ObjectID, fromWire, equals, toWire } from '../../../src/ddp/ejson.ts';
import { parseFrame, sockjsUrl } from '../../../src/sockjs/framing.ts';
import { anything, hostile, wounded } from './inputs.ts';
import { target, type Target } from './targets.ts';
import { must, polluted } from './world.ts';

/** Everything EJSON knows, and what only looks like it. */
const { ejson } = fc.letrec<{ ejson: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(
    fc.string(),
    fc.double().filter((value) => !Object.is(value, -0)), // JSON has no -0
    fc.boolean(),
    fc.constant(null),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 12 }),
    fc.constantFrom(/a/, /b+/gi, /\//),
    fc.stringMatching(/^[0-9a-f]{24}$/).map((hex) => new ObjectID(hex)),
  ),
  ejson: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 3, arbitrary: tie('leaf') },
    { weight: 1, arbitrary: fc.array(tie('ejson'), { maxLength: 4 }) },
    {
      weight: 2,
      arbitrary: fc.dictionary(
        fc.oneof(
          fc.string({ maxLength: 5 }).filter((key) => key !== '__proto__'),
          fc.constantFrom(
            '$date',
            '$escape',
            '$type',
            '$value',
            '$binary',
            '$regexp',
            '$flags',
            'length',
            'callee',
          ),
        ),
        tie('ejson'),
        { maxKeys: 4, noNullPrototype: true },
      ),
    },
  ),
}));

const wire = (value: unknown): unknown => JSON.parse(JSON.stringify(toWire(value, 'value')));
const reversed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  );
};

function safe(value: unknown, frozen: boolean): void {
  if (typeof value !== 'object' || value === null) return;
  must(!Object.hasOwn(value, '__proto__'), 'a key __proto__ came through');
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return;
  must(!frozen || Object.isFrozen(value), 'not frozen');
  for (const item of Object.values(value)) safe(item, frozen);
}

const host = fc.constantFrom('a.example', 'localhost', '[::1]:80', 'b.example:8443');
const url = fc.oneof(
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
  fc
    .tuple(host, fc.webPath(), fc.option(fc.webQueryParameters()), fc.boolean())
    .map(
      ([at, path, query, secret]) =>
        `wss://${secret ? 'user:secret@' : ''}${at}${path}${query === null ? '' : `?secret=${query}`}`,
    ),
);

const finite = (value: number, min: number, max: number): boolean => value >= min && value <= max;

export const pureTargets: readonly Target[] = [
  target('EJSON values, there and back', 10, ejson, (value) => {
    const text = JSON.stringify(wire(value));
    const back = fromWire(JSON.parse(text), true);
    must(equals(back, value) && equals(value, back), `not the same: ${text}`);
    must(isDeepStrictEqual(back, value), `not equal: ${text}`);
    safe(back, true);
    must(JSON.stringify(wire(value)) === text, 'the value was changed');
    must(equals(reversed(value), value), 'the order of keys matters');
    must(equals(EJSON.clone(1), 1) && !polluted(), 'pollution');
  }),
  target('EJSON values, two of them', 10, fc.tuple(ejson, ejson), ([a, b]) => {
    const equal = isDeepStrictEqual(wire(a), wire(b));
    must(equals(a, b) === equal, `equals says ${equals(a, b)}`);
    must(equals(a, b) === equals(b, a), 'not symmetric');
  }),
  target('EJSON from a hostile text', 10, hostile, (value) => {
    const text = JSON.stringify(value) ?? 'null';
    for (const freeze of [false, true]) {
      let back: unknown;
      try {
        back = fromWire(JSON.parse(text), freeze);
      } catch (error) {
        must(error instanceof Error, 'threw what is no Error');
        continue;
      }
      safe(back, freeze);
      Object.assign({}, back);
    }
    must(!polluted(), 'a prototype was polluted');
  }),
  target(
    'SockJS frames',
    10,
    fc.oneof(
      wounded(fc.array(fc.string()).map((list) => `a${JSON.stringify(list)}`)),
      wounded(fc.tuple(fc.integer(), fc.string()).map((list) => `c${JSON.stringify(list)}`)),
      hostile.map((value) => `a${JSON.stringify(value)}`),
      hostile.map((value) => `c${JSON.stringify(value)}`),
      fc.string({ unit: 'binary' }),
      anything,
    ),
    (data) => {
      const frame = parseFrame(data);
      if (frame.type === 'messages') {
        const again = JSON.parse((data as string).slice(1)) as unknown;
        must(isDeepStrictEqual(frame.messages, again), 'other messages');
        must(
          frame.messages.every((message) => typeof message === 'string'),
          'no text',
        );
      } else if (frame.type === 'close') {
        must(
          Number.isInteger(frame.code) &&
            finite(frame.code, 1_000, 4_999) &&
            typeof frame.reason === 'string',
          'a bad close',
        );
      } else must(frame.type === 'malformed' || data === 'o' || data === 'h', `taken for ${frame.type}`);
    },
  ),
  target('SockJS addresses', 1, url, (base) => {
    const address = sockjsUrl(base);
    const at = new URL(address);
    must(at.pathname.endsWith('/websocket'), `no socket's path: ${address}`);
    must(at.search === new URL(base).search && at.host === new URL(base).host, 'another query or host');
  }),
  target(
    'notices of a server',
    10,
    fc.oneof(
      fc
        .record({
          msg: fc.constantFrom('drain', 'node'),
          id: hostile,
          afterMs: hostile,
          spreadMs: fc.oneof(fc.double(), hostile),
          url: hostile,
        })
        .map((value) => JSON.stringify(value)),
      wounded(
        fc.constantFrom(
          '{"msg":"node","id":"a","spreadMs":5}',
          '{"msg":"drain","afterMs":8000,"spreadMs":1000}',
        ),
      ),
      anything,
    ),
    (data) => {
      const notice = parseNotice(data);
      if (!notice) return;
      must(
        finite(notice.spreadMs, 0, 60_000) ||
          (notice.msg === 'drain' && finite(notice.spreadMs, 0, notice.afterMs)),
        `spread ${notice.spreadMs}`,
      );
      if (notice.msg === 'drain') must(finite(notice.afterMs, 0, 600_000), `after ${notice.afterMs}`);
      else must(typeof notice.id === 'string' && finite(notice.id.length, 1, 256), 'a bad id');
      must(!polluted(), 'a prototype was polluted');
    },
  ),
  target(
    'Retry-After, and the pace it sets',
    2,
    fc.tuple(
      fc.oneof(
        fc.string({ unit: 'grapheme-ascii' }),
        fc.integer().map(String),
        fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
        wounded(fc.constant('Wed, 21 Oct 2099 07:28:00 GMT')),
      ),
      fc.constantFrom('fast' as const, 'balanced' as const, 'frugal' as const),
      fc.integer({ min: 100, max: 599 }),
    ),
    ([value, preset, status]) => {
      let headers: Headers;
      try {
        headers = new Headers({ 'retry-after': value });
      } catch {
        return; // no engine lets it through
      }
      const ms = retryAfter(headers, 1_700_000_000_000);
      must(Number.isNaN(ms) || finite(ms, 0, 600_000), `Retry-After ${ms}`);
      const verdict = classifyStatus(status, ms >= 0);
      const policy = POLICIES[preset];
      const outage = {
        ...newOutage(0, undefined),
        attempts: 3,
        evidence: { verdict, ...(verdict === 'overloaded' && ms >= 0 && { retryAfterMs: ms }) },
      };
      const context = {
        now: 1,
        random: 0.99,
        engine: engineOf(''),
        freshPath: false,
        leaks: [],
        rtt: undefined,
      };
      const wait = nextWait(policy, outage, newMemory(policy, 0), context);
      must(finite(wait, 0, policy.capMs), `waits ${wait} ms`);
    },
  ),
  target(
    'what tabs share',
    1,
    fc.oneof(
      hostile.map((value) => JSON.stringify(value)),
      fc
        .array(fc.oneof(fc.double(), fc.integer({ min: 900_000, max: 1_200_000 })))
        .map((list) => JSON.stringify(list)),
      fc.string(),
    ),
    (stored) => {
      const engine = engineOf('Firefox/153');
      const env = {
        now: () => 100_000,
        timeOrigin: 1_000_000,
        storage: { getItem: () => stored, setItem() {} },
      };
      const leaks = createAbandonedHandshakes(env as never, engine);
      const policy = POLICIES.fast;
      const check = () => {
        const list = leaks.of('h');
        must(
          list.length <= engine.maxAbandons && list.every((at) => finite(100_000 - at, -LEAK_MS, LEAK_MS)),
          `leaks ${list.join()}`,
        );
        const context = { now: 100_000, random: 0, engine, freshPath: false, leaks: list, rtt: undefined };
        must(
          finite(
            nextWait(policy, newOutage(0, undefined), newMemory(policy, 100_000), context),
            0,
            2 * LEAK_MS,
          ),
          'waits too long',
        );
      };
      check();
      leaks.add('h');
      check();
    },
  ),
  target(
    'close codes',
    1,
    fc.tuple(fc.oneof(fc.double(), fc.integer(), fc.nat({ max: 5_000 })), fc.string()),
    ([code, reason]) => {
      const { kind } = classifyClose('open', code, reason);
      must(['drain', 'lost', 'overloaded', 'closed'].includes(kind), `kind ${String(kind)}`);
      must(classifyClose('dialling', code, reason).kind === 'refused', 'not refused');
    },
  ),
  target('addresses in reports', 1, url, (address) => {
    must(!/secret|[?#]/.test(redactUrl(address)), `not redacted: ${redactUrl(address)}`);
  }),
];
