import { describe, expect, test } from 'vitest';
import { FailoverError, isFailoverError } from '../../../../src/core/api/errors.ts';
import { formatValue } from '../../../../src/shared/format-value.ts';
import { DDPError } from '../../../../src/ddp/errors.ts';
import { resolveOptions, type FailoverOptions } from '../../../../src/core/api/options.ts';
import { POLICIES } from '../../../../src/core/api/reconnect-policy.ts';

test('the defaults are those of the docs', () => {
  const { env, ...rest } = resolveOptions();
  expect(env.now()).toBeGreaterThan(0);
  expect(rest).toEqual({
    policy: POLICIES.balanced,
    heartbeat: false,
    hedge: true,
    probe: { url: undefined, crossOrigin: false, timeoutMs: 3_000 },
    queue: { maxBytes: 1_048_576, maxMessages: 1_000, overflow: 'throw' },
    handshake: undefined,
    identify: undefined,
    serverNotices: false,
    allowedOrigins: [],
    standby: false,
    events: 'link',
    log: undefined,
    layer: undefined,
  });
});

test('undefined is as good as not given', () => {
  const given = {
    policy: undefined,
    heartbeat: undefined,
    hedge: undefined,
    probe: undefined,
    queue: undefined,
    events: undefined,
    env: undefined,
  } as unknown as FailoverOptions;
  const { env: _, ...rest } = resolveOptions(given);
  const { env: _e, ...defaults } = resolveOptions({});
  expect(rest).toEqual(defaults);
});

describe('policies', () => {
  test.each(['fast', 'balanced', 'frugal'] as const)('the preset %s keeps its own limits', (name) => {
    expect(resolveOptions({ policy: name }).policy).toEqual(POLICIES[name]);
    expect(resolveOptions({ policy: { ...POLICIES[name] } }).policy).toEqual(POLICIES[name]);
  });

  test('values are laid over balanced, or over the preset they name', () => {
    expect(resolveOptions({ policy: { capMs: 7_000 } }).policy).toEqual({
      ...POLICIES.balanced,
      capMs: 7_000,
    });
    const policy = {
      preset: 'fast',
      maxAttempts: 3,
      baseMs: undefined,
    };
    expect(resolveOptions({ policy } as unknown as FailoverOptions).policy).toEqual({
      ...POLICIES.fast,
      maxAttempts: 3,
    });
  });

  test('what was validated cannot change afterwards', () => {
    const policy = { capMs: 7_000 };
    const resolved = resolveOptions({ policy });
    policy.capMs = -1;
    expect(resolved.policy.capMs).toBe(7_000);
    expect(Object.isFrozen(resolved.policy)).toBe(true);
    expect(POLICIES.balanced.capMs).toBe(8_000);
  });
});

describe('a bad value is a RangeError that names the option and the value', () => {
  const message = () => 'x';
  test.each<[option: string, value: string, options: unknown]>([
    ['options', 'null', null],
    ['options', '7', 7],
    ['policy', '"quick"', { policy: 'quick' }],
    ['policy', '"__proto__"', { policy: '__proto__' }],
    ['policy', '"constructor"', { policy: { preset: 'constructor' } }],
    ['policy', 'null', { policy: null }],
    ['policy', '5', { policy: 5 }],
    ['policy', 'true', { policy: true }],
    ['policy.dialsPerMinute', 'Infinity', { policy: { dialsPerMinute: Infinity } }],
    ['policy.capMs', '"1000"', { policy: { capMs: '1000' } }],
    ['policy.capMs', '0', { policy: { capMs: 0 } }],
    ['policy.capMs', 'Infinity', { policy: { capMs: Infinity } }],
    ['policy.capMs', 'NaN', { policy: { capMs: NaN } }],
    ['policy.capMs', 'null', { policy: { capMs: null } }],
    // Spread is for crowds that were announced: a lone client is never held back by more than 20 ms.
    ['policy.spreadMs', '21', { policy: { spreadMs: 21 } }],
    ['policy.fastAttempts', '0', { policy: { fastAttempts: 0 } }],
    ['policy.dialsPerMinute', '0', { policy: { dialsPerMinute: 0 } }],
    ['policy.maxAttempts', '0', { policy: { maxAttempts: 0 } }],
    ['policy.deadlineFloorMs', '9', { policy: { deadlineFloorMs: 9 } }],
    ['policy.deadlineFloorMs', '900', { policy: { deadlineFloorMs: 900, deadlineCapMs: 800 } }],
    ['policy.replyFloorMs', '6000', { policy: { replyFloorMs: 6_000 } }],
    ['heartbeat', 'true', { heartbeat: true }],
    ['heartbeat', 'null', { heartbeat: null }],
    ['heartbeat', '"ping"', { heartbeat: 'ping' }],
    ['heartbeat', undefined as never, { heartbeat: {} }],
    ['heartbeat', undefined as never, { heartbeat: { message: null } }],
    ['heartbeat.message', 'undefined', { heartbeat: { expectEveryMs: undefined } }],
    ['heartbeat.isReply', '"pong"', { heartbeat: { message, isReply: 'pong' } }],
    ['heartbeat.expectEveryMs', '49', { heartbeat: { expectEveryMs: 49 } }],
    ['heartbeat.expectEveryMs', '"5s"', { heartbeat: { expectEveryMs: '5s' } }],
    ['hedge', '"yes"', { hedge: 'yes' }],
    ['hedge', '1', { hedge: 1 }],
    ['probe', 'true', { probe: true }],
    ['probe', 'null', { probe: null }],
    ['env', '"browser"', { env: 'browser' }],
    ['probe', '"/up"', { probe: '/up' }],
    ['probe.crossOrigin', '1', { probe: { crossOrigin: 1 } }],
    ['probe.timeoutMs', '0', { probe: { timeoutMs: 0 } }],
    ['probe.timeoutMs', '60001', { probe: { timeoutMs: 60_001 } }],
    ['queue', 'null', { queue: null }],
    ['queue.maxBytes', '-1', { queue: { maxBytes: -1 } }],
    ['queue.maxMessages', 'NaN', { queue: { maxMessages: NaN } }],
    ['queue.overflow', '"drop"', { queue: { overflow: 'drop' } }],
    ['handshake', '{}', { handshake: '{}' }],
    ['identify', '7', { identify: 7 }],
    ['log', 'null', { log: null }],
    ['standby', '"hot"', { standby: 'hot', serverNotices: true }],
    ['identify', 'undefined', { standby: 'warm' }],
    ['allowedOrigins', '"https://x.example"', { allowedOrigins: 'https://x.example' }],
    ['allowedOrigins', 'x.example', { allowedOrigins: ['x.example'] }],
    ['options', '"hartbeat"', { hartbeat: false }],
    ['serverNotices', '"on"', { serverNotices: 'on' }],
    ['events', '"all"', { events: 'all' }],
  ])('%s %s', (option, value, options) => {
    const resolve = () => resolveOptions(options as FailoverOptions);
    expect(resolve).toThrow(RangeError);
    expect(resolve).toThrow(option);
    if (value !== undefined && value !== '{}') expect(resolve).toThrow(`got ${value}`);
  });

  test('a field that does not exist is named, so that a misspelling is found', () => {
    const resolve = () => resolveOptions({ policy: { capMS: 5 } } as never);
    expect(resolve).toThrow(RangeError);
    expect(resolve).toThrow('capMS');
  });
});

describe('errors', () => {
  test('keep kind, message and cause', () => {
    const cause = new Error('why');
    const error = new FailoverError('timeout', 'too late', { cause });
    expect(error).toMatchObject({ name: 'FailoverError', kind: 'timeout', message: 'too late', cause });
    expect(error).toBeInstanceOf(Error);
  });

  test.each([
    ['one of ours', new FailoverError('closed', 'x'), true],
    ['one of another copy', Object.assign(new Error('x'), { name: 'FailoverError', kind: 'closed' }), true],
    ['one of a DDP server', new DDPError({ error: 403 }), true],
    ['another error', new Error('x'), false],
    ['one without kind', Object.assign(new Error('x'), { name: 'FailoverError' }), false],
    ['no error', { name: 'FailoverError', kind: 'closed' }, false],
    ['nothing', undefined, false],
  ])('are recognised: %s', (_, error, expected) => {
    expect(isFailoverError(error)).toBe(expected);
  });

  test('values are shown short', () => {
    expect(formatValue('a"b')).toBe('"a\\"b"');
    expect(formatValue('x'.repeat(500))).toHaveLength(80);
    expect(formatValue(undefined)).toBe('undefined');
  });

  test.each([
    ['an object without prototype', Object.create(null), 'object'],
    [
      'an object whose toString throws',
      {
        toString() {
          throw new Error('no');
        },
      },
      'object',
    ],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
  ])('%s is shown too', (_, value, text) => {
    expect(formatValue(value)).toBe(text);
  });
});

describe('an error text says what was expected, what came and what to do', () => {
  const names =
    'policy, heartbeat, hedge, probe, queue, handshake, identify, serverNotices, allowedOrigins, standby, events, log, layer, env';

  test.each<[text: string, options: unknown]>([
    [
      'policy.capMs: expected a number from 10 to 86400000, got "8s". Give a number of milliseconds.',
      { policy: { capMs: '8s' } },
    ],
    ['policy: expected fast, balanced, frugal, or an object, got 5. Give one of these.', { policy: 5 }],
    [
      'policy: expected fast, balanced, frugal, or an object, got "frugl". Did you mean "frugal"?',
      { policy: 'frugl' },
    ],
    [
      'policy.preset: expected fast, balanced, frugal, got "slow". Give one of these.',
      { policy: { preset: 'slow' } },
    ],
    [
      'policy.deadlineFloorMs: expected at most deadlineCapMs, which is 800, got 900. ' +
        'Lower the floor or raise the cap; a field that is left out comes from the preset.',
      { policy: { deadlineFloorMs: 900, deadlineCapMs: 800 } },
    ],
    [
      'policy.replyFloorMs: expected at most replyCapMs, which is 5000, got 6000. ' +
        'Lower the floor or raise the cap; a field that is left out comes from the preset.',
      { policy: { replyFloorMs: 6_000 } },
    ],
    ['heartbeat: expected an object, or false, got true.', { heartbeat: true }],
    [
      'heartbeat.message: expected a frame (text or binary), or a function that returns one, got undefined. ' +
        'Give a `message` to ping with, or `expectEveryMs` to listen only.',
      { heartbeat: {} },
    ],
    ['probe: expected an object, or false, got null.', { probe: null }],
    // It would only show much later: in a fetch that cannot be made, beside dials that fail.
    [
      'probe.url: expected a URL, got "http://". Give an absolute http or https URL, or one relative to the page.',
      { probe: { url: 'http://' } },
    ],
    [
      'queue.maxBytes: expected a number from 0 to Infinity, got "1 MiB". Give a number of bytes.',
      { queue: { maxBytes: '1 MiB' } },
    ],
    [
      "options.allowedOrigins: expected a list of origins, got x.example. Give an array of absolute origins, such as ['https://b.example.org'].",
      { allowedOrigins: ['x.example'] },
    ],
    [
      "options.identify: expected a function, since `standby` is 'warm', got undefined. " +
        'A standby has to lead to another node: name the nodes by `identify`, or set `serverNotices: true`.',
      { standby: 'warm' },
    ],
    [
      'heartbeat: expected either `message` or `expectEveryMs`, got "both". Ping with `message`, or listen only with `expectEveryMs`.',
      { heartbeat: { message: 'ping', expectEveryMs: 1_000 } },
    ],
    [
      'heartbeat.message: expected a frame (text or binary), or a function that returns one, got [object Object]. Give a `message` to ping with, or `expectEveryMs` to listen only.',
      { heartbeat: { message: { type: 'ping' } } },
    ],
    [
      "env.WebSocket: expected a class, got [object Object]. On Node 20 it is `import { WebSocket } from 'ws'`: a named import, not the module.",
      { env: { WebSocket: {} } },
    ],
    [`options: expected ${names}, got "hartbeat". Did you mean "heartbeat"?`, { hartbeat: false }],
    [
      `options: expected ${names}, got "timeout". No field has this name: remove it, or use one of these.`,
      { timeout: 5 },
    ],
  ])('%s', (text, options) => {
    expect(() => resolveOptions(options as FailoverOptions)).toThrow(new RangeError(text));
  });
});

test('a preset may be inherited, as from a class', () => {
  class Fast {
    get preset() {
      return 'fast' as const;
    }
  }
  expect(resolveOptions({ policy: new Fast() }).policy).toEqual(POLICIES.fast);
});
