import { validate, validateFields, isBoolean, isString, rule, type Rules } from '../shared/validate.ts';
import type { Env } from '../core/env/env.ts';
import { FailoverError, type ErrorKind } from '../core/api/errors.ts';
import { frameBytes } from '../core/api/frame.ts';
import { toWire } from './ejson.ts';
import { encode } from './messages.ts';
import { isCallTimeout } from './options.ts';

/** Options of one call. */
export interface ApplyOptions {
  /**
   * Whether the call is sent again, with the same id, if its connection ends without an answer. With `false` it is sent at most
   * once, and such an end rejects it with a FailoverError of kind `unconfirmed`. @default true
   */
  readonly retry?: boolean;
  /**
   * Milliseconds until the call rejects with a FailoverError of kind `timeout`, outages included: 1 to 2 147 483 647, or
   * Infinity for never. @default the client's `callTimeoutMs`
   */
  readonly timeoutMs?: number;
  /** Its abort rejects the call with a FailoverError of kind `aborted`. The server does not learn of it. */
  readonly signal?: AbortSignal;
  /**
   * Seed for the ids that the server makes, so that an insert which is sent again keeps its id. The same on every connection.
   * @default a random one if the call may be sent again, else none
   */
  readonly randomSeed?: string;
  /** Sends the call when all calls before it have settled; those after it wait until it has. @default false */
  readonly wait?: boolean;
}

const RULES: Rules = {
  retry: isBoolean,
  timeoutMs: isCallTimeout,
  // Not by `instanceof`: a page may hold several classes of that name, as in jsdom.
  signal: rule('an AbortSignal', (signal) => isBoolean((Object(signal) as Partial<AbortSignal>).aborted)),
  randomSeed: isString,
  wait: isBoolean,
};
const isArray = rule('an array', Array.isArray);

/** What a login call needs beyond its parameters. It is sent before subscriptions. */
export interface LoginCall {
  /** @default a new id */
  readonly id?: string;
  /** Called with the result as soon as it arrives. */
  onResult(result: unknown): void;
}

/** What the app asked for, checked. */
export interface CallRequest {
  readonly method: string;
  readonly params: readonly unknown[];
  readonly retry: boolean;
  readonly wait: boolean;
  readonly timeoutMs: number;
  readonly randomSeed: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly login: LoginCall | undefined;
}

/** A call that has not settled. */
export interface Call {
  readonly id: string;
  readonly frame: string;
  /** Size of the frame, which the limits of the queue count. */
  readonly bytes: number;
  readonly retry: boolean;
  readonly wait: boolean;
  readonly login: LoginCall | undefined;
  /** Made by an `onReconnect` hook: like a login it goes before subscriptions. */
  readonly isPreamble: boolean;
  /** Number of the connection it was sent on; 0: on none. */
  epoch: number;
  /** The result, once it has arrived. The call settles when its changes are visible too. */
  result: { readonly value: unknown } | undefined;
  isUpdated: boolean;
  resolve(value: unknown): void;
  reject(error: unknown): void;
  /** Rejects with a FailoverError that names the method. */
  fail(kind: ErrorKind, text: string): void;
}

/** @throws RangeError for a bad method name, parameter list or option */
export function checkRequest(
  method: string,
  params: readonly unknown[],
  options: ApplyOptions,
  login: LoginCall | undefined,
  env: Pick<Env, 'random'>,
  defaultTimeoutMs: number,
): CallRequest {
  validate('method', method, isString);
  validate('params', params, isArray);
  const { retry = true, wait = false, timeoutMs = defaultTimeoutMs, signal } = validateFields(options, RULES);
  const { randomSeed = retry ? String(env.random()) : undefined } = options;
  return { method, params, retry, wait, timeoutMs, randomSeed, signal, login };
}

/** The error of a call: it names the method, and carries the reason of an abort as its cause. */
export const callError = (
  { method, signal }: Pick<CallRequest, 'method' | 'signal'>,
  kind: ErrorKind,
  text: string,
): FailoverError => new FailoverError(kind, `${method}: ${text}`, { cause: signal?.reason });

/** @throws RangeError for a parameter that EJSON has no form for */
export function encodeCall(
  id: string,
  { method, params, randomSeed }: CallRequest,
): Pick<Call, 'id' | 'frame' | 'bytes'> {
  const frame = encode({ msg: 'method', method, id, randomSeed, params: toWire(params, 'params') });
  return { id, frame, bytes: frameBytes(frame) };
}

const describeSending = ({ epoch }: Call): string =>
  epoch ? 'It was sent, so the server may have run it.' : 'It was not sent.';

/**
 * Starts the clock of a call, and listens to its signal.
 * @param onSettled called after the call has resolved or rejected
 */
export function createCall(
  env: Pick<Env, 'setTimeout' | 'clearTimeout'>,
  request: CallRequest,
  encoded: Pick<Call, 'id' | 'frame' | 'bytes' | 'isPreamble'>,
  promise: Pick<Call, 'resolve' | 'reject'>,
  onSettled: (call: Call) => void,
): Call {
  // Not the request itself: the parameters need not be kept, the frame holds them.
  const { method, retry, wait, login, signal, timeoutMs } = request;
  const abort = () => call.fail('aborted', `its signal aborted the call. ${describeSending(call)}`);
  signal?.addEventListener('abort', abort);
  const timer =
    timeoutMs < Infinity &&
    env.setTimeout(() => {
      const advice = 'Raise timeoutMs (or callTimeoutMs) if outages or the server take longer.';
      call.fail('timeout', `no answer within ${timeoutMs} ms. ${describeSending(call)} ${advice}`);
    }, timeoutMs);
  const settle =
    <T>(settlePromise: (value: T) => void) =>
    (value: T) => {
      env.clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      settlePromise(value);
      onSettled(call);
    };
  const call: Call = {
    ...encoded,
    retry,
    wait,
    login,
    epoch: 0,
    result: undefined,
    isUpdated: false,
    resolve: settle(promise.resolve),
    reject: settle(promise.reject),
    fail: (kind, text) => call.reject(callError({ method, signal }, kind, text)),
  };
  return call;
}
