import { validate, validateFields, isBoolean, isString, rule, type Rules } from '../shared/validate.ts';
import type { Env } from '../core/env/env.ts';
import { FailoverError, type ErrorKind } from '../core/api/errors.ts';
import type { QueueOptions } from '../core/api/options.ts';
import { frameBytes } from '../core/api/frame.ts';
import { toWire } from './ejson.ts';
import { encode } from './messages.ts';
import { isCallTimeout } from './options.ts';
import type { Wire } from './wire.ts';

export interface ApplyOptions {
  /**
   * Send it again (with the same id) if its connection ends without an answer. `false`: it is sent at most once, and such an
   * end rejects it with a FailoverError `unconfirmed`. @default true
   */
  readonly retry?: boolean;
  /** Rejects with a FailoverError `timeout` after so many ms, outages included; Infinity: never. @default callTimeoutMs */
  readonly timeoutMs?: number;
  /** Rejects with a FailoverError `aborted`; the server is not told. */
  readonly signal?: AbortSignal;
  /**
   * Seed for the ids that the server makes, so that an insert which is sent again keeps its id. The same on every connection.
   * @default a random one where the call may be sent again
   */
  readonly randomSeed?: string;
  /** Sent when all calls before it have settled; those after it wait until it has. @default false */
  readonly wait?: boolean;
}

const RULES: Rules = {
  retry: isBoolean,
  timeoutMs: isCallTimeout,
  // Not by its class: there may be several of that name, as in a page of jsdom.
  signal: rule('an AbortSignal', (signal) => isBoolean((Object(signal) as Partial<AbortSignal>).aborted)),
  randomSeed: isString,
  wait: isBoolean,
};
const isArray = rule('an array', Array.isArray);

interface Call {
  readonly frame: string;
  /** Its size: asked for again and again while it waits. */
  readonly bytes: number;
  readonly retry: boolean;
  readonly wait: boolean;
  /** Set for a login, which is sent before subscriptions: is told the result as soon as it is there. */
  readonly login: ((result: unknown) => void) | undefined;
  /** Made by a hook: it goes before subscriptions too. */
  readonly greeting: boolean;
  /** Connection it was sent on; 0: on none. */
  epoch: number;
  /** The result, once it is there; the call is kept until its changes are visible too. */
  result: { readonly value: unknown } | undefined;
  updated: boolean;
  resolve(value: unknown): void;
  reject(error: unknown): void;
  /** Rejects with a FailoverError that names the method. */
  fail(kind: ErrorKind, text: string): void;
}

/** Calls that have not settled, in order. */
export interface Methods {
  /**
   * Rejects, never throws, whatever is wrong.
   * @param login makes it a login, see Call
   */
  apply(
    method: string,
    params: readonly unknown[],
    options?: ApplyOptions,
    login?: (result: unknown) => void,
  ): Promise<unknown>;
  /** Resolves when no call that was sent on this connection waits for an answer. */
  answered(epoch: number): Promise<void>;
  /** Sends what the current connection has not seen, in order. While a connection is greeted nothing but what hooks call goes out. */
  flush(): void;
  /** Sends what goes before subscriptions: logins, and what hooks have called before. */
  greet(): void;
  /** The server has refused to hear it yet. */
  unsent(id: unknown): void;
  result(id: string, error: FailoverError | undefined, value: unknown): void;
  /** Everything these methods wrote is visible now. */
  updated(ids: readonly string[]): void;
  /** Those that were sent on this connection, wait for an answer and must not be sent again. */
  unconfirmed(epoch: number): readonly unknown[];
  /** This connection is gone; what was sent on it and must not be sent twice is given up. */
  lost(epoch: number): void;
  /** The documents are those of the new connection: whatever calls answered on an older one wrote is among them. */
  caughtUp(): void;
  close(error: FailoverError): void;
}

export function createMethods(
  wire: Wire,
  env: Env,
  { maxMessages, maxBytes }: Pick<QueueOptions, 'maxMessages' | 'maxBytes'>,
  defaultTimeoutMs: number,
): Methods {
  const calls = new Map<string, Call>();
  /** Those among them that nothing passes. */
  let waiting = 0;
  /** Told when a call has settled. */
  let answered = () => {};

  /** It waits for an answer on the connection that is being left. */
  const isLate = ({ epoch, result, login, retry }: Call): boolean =>
    // A login is of use only to the connection it is sent on: the new one gets its own.
    !result && !(login && retry) && epoch > 0 && epoch === wire.leaving;

  const isSent = (call: Call): boolean =>
    !!call.result ||
    call.epoch === wire.epoch ||
    // Given up, if its connection is.
    (!call.retry && call.epoch > 0) ||
    isLate(call);

  /** May a call be sent? Those that are still under way on the connection before must not be overtaken. */
  const isReady = (): boolean => {
    const { usable, leaving, greeting } = wire;
    return usable && (greeting || !leaving || ![...calls.values()].some(isLate));
  };

  const send = (call: Call): void => {
    call.epoch = wire.epoch;
    call.updated = false;
    wire.send(call.frame);
  };

  const flush = (): void => {
    if (!isReady() || wire.greeting) return;
    let alone = true;
    for (const call of [...calls.values()]) {
      const sent = isSent(call);
      if (call.wait && !alone && !sent) return;
      if (!sent) send(call);
      if (call.wait) return;
      alone = false;
    }
  };

  const unconfirmed = (epoch: number): Call[] =>
    [...calls.values()].filter((call) => !call.retry && call.epoch === epoch && !call.result);

  /** A call got further: on a connection that is being left this may have been what others waited for. */
  const moved = (): void => {
    if (!wire.leaving) return;
    flush();
    answered();
  };

  /** What waits for a connection is bounded like the link's own queue. */
  const checkRoom = (bytes: number, error: (kind: ErrorKind, text: string) => FailoverError): void => {
    let messages = 1;
    for (const call of calls.values())
      if (!isSent(call)) {
        messages += 1;
        bytes += call.bytes;
      }
    if (messages > maxMessages || bytes > maxBytes)
      throw error('overflow', `queue full (${maxMessages} messages, ${maxBytes} bytes)`);
  };

  return {
    apply: (method, params, options = {}, login) =>
      new Promise((resolve, reject) => {
        validate('method', method, isString);
        validate('params', params, isArray);
        const {
          retry = true,
          wait = false,
          signal,
          timeoutMs = defaultTimeoutMs,
        } = validateFields(options, RULES);
        const { randomSeed = retry ? String(env.random()) : undefined } = options;
        const error = (kind: ErrorKind, text: string) =>
          new FailoverError(kind, `${method}: ${text}`, { cause: signal?.reason });
        if (wire.closed) throw wire.closed;
        if (signal?.aborted) throw error('aborted', 'aborted');
        const id = wire.nextId();
        const frame = encode({ msg: 'method', method, id, randomSeed, params: toWire(params, 'params') });
        const bytes = frameBytes(frame);
        // What a hook calls goes before that which waited.
        const free = isReady() && (wire.greeting || !(wait ? calls.size : waiting));
        if (!free) checkRoom(bytes, error);

        const abort = () => call.fail('aborted', 'aborted');
        signal?.addEventListener('abort', abort);
        const timer =
          timeoutMs < Infinity &&
          env.setTimeout(() => call.fail('timeout', `no answer in ${timeoutMs} ms`), timeoutMs);
        const settle =
          <T>(how: (value: T) => void) =>
          (value: T) => {
            if (calls.delete(id)) waiting -= +wait;
            env.clearTimeout(timer);
            signal?.removeEventListener('abort', abort);
            how(value);
            if (wait || waiting) flush();
            moved();
          };
        const call: Call = {
          frame,
          bytes,
          retry,
          wait,
          login,
          greeting: wire.greeting,
          epoch: 0,
          result: undefined,
          updated: false,
          resolve: settle(resolve),
          reject: settle(reject),
          fail: (kind, text) => call.reject(error(kind, text)),
        };
        calls.set(id, call);
        waiting += +wait;
        if (free) send(call);
      }),
    answered: (epoch) =>
      new Promise((resolve) => {
        answered = () => {
          if ([...calls.values()].every((call) => call.epoch !== epoch)) resolve();
        };
        answered();
      }),
    flush,
    greet() {
      for (const call of calls.values()) if ((call.login || call.greeting) && !isSent(call)) send(call);
    },
    unsent(id) {
      const call = calls.get(id as string);
      if (call?.epoch === wire.epoch) call.epoch = 0;
    },
    result(id, error, value) {
      const call = calls.get(id);
      if (error) call?.reject(error);
      else if (call && !call.result) {
        call.result = { value };
        call.login?.(value);
        if (call.updated) call.resolve(value);
        else moved();
      }
    },
    updated(ids) {
      for (const id of ids) {
        const call = calls.get(id);
        if (!call) continue;
        call.updated = true;
        if (call.result) call.resolve(call.result.value);
      }
    },
    unconfirmed,
    lost(epoch) {
      for (const call of unconfirmed(epoch)) call.fail('unconfirmed', 'lost unanswered');
    },
    caughtUp() {
      for (const call of calls.values())
        if (call.result && call.epoch !== wire.epoch) call.resolve(call.result.value);
    },
    close(error) {
      for (const call of calls.values()) call.reject(error);
    },
  };
}
