import type { Env } from '../core/env.ts';
import { badOption, FailoverError, type ErrorKind } from '../core/errors.ts';
import type { QueueOptions } from '../core/options.ts';
import { frameBytes } from '../core/replay.ts';
import type { DDPError } from './errors.ts';
import { encodeParams } from './messages.ts';
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
  /** Seed for ids the server makes, so that a method that runs twice makes the same ones. The same on every connection. */
  readonly randomSeed?: string;
}

interface Call {
  readonly frame: string;
  readonly retry: boolean;
  /** Set for a login, which is sent before subscriptions: is told the result as soon as it is there. */
  readonly login: ((result: unknown) => void) | undefined;
  /** Connection it was sent on; 0: on none. */
  epoch: number;
  /** The result, once it is there; the call is kept until its changes are visible too. */
  result: { readonly value: unknown } | undefined;
  updated: boolean;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Longest delay of a timer; beyond it engines fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export function checkTimeout(option: string, ms: unknown): number {
  if (typeof ms !== 'number' || !(ms > 0) || (ms > MAX_TIMER_MS && ms !== Infinity))
    throw badOption(option, ms, `milliseconds, more than 0 and at most ${MAX_TIMER_MS}, or Infinity`);
  return ms;
}

/** Calls that have not settled, in order. */
export class Methods {
  readonly #calls = new Map<string, Call>();

  constructor(
    private readonly wire: Wire,
    private readonly env: Env,
    private readonly limits: Pick<QueueOptions, 'maxMessages' | 'maxBytes'>,
    private readonly defaultTimeoutMs: number,
  ) {}

  /**
   * Rejects, never throws, whatever is wrong.
   * @param login makes it a login, see Call
   * @param sent is told the call's id
   */
  apply(
    method: string,
    params: readonly unknown[],
    options: ApplyOptions = {},
    login?: (result: unknown) => void,
    sent?: (id: string) => void,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { retry = true, signal, randomSeed } = options;
      const timeoutMs = checkTimeout('timeoutMs', options.timeoutMs ?? this.defaultTimeoutMs);
      const fail = (kind: ErrorKind, text: string) =>
        new FailoverError(kind, `${method}: ${text}`, { cause: signal?.reason });
      if (signal?.aborted) throw fail('aborted', 'aborted');
      const id = this.wire.nextId();
      const frame = encodeParams(
        { msg: 'method', method, id, ...(randomSeed !== undefined && { randomSeed }) },
        params,
      );
      if (!this.wire.usable) this.#checkRoom(frame, fail);

      const abort = () => call.reject(fail('aborted', 'aborted'));
      const timer =
        timeoutMs < Infinity
          ? this.env.setTimeout(
              () => call.reject(fail('timeout', `no answer within ${timeoutMs} ms`)),
              timeoutMs,
            )
          : undefined;
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          this.#calls.delete(id);
          this.env.clearTimeout(timer);
          signal?.removeEventListener('abort', abort);
          how(value);
        };
      const call: Call = {
        frame,
        retry,
        login,
        epoch: 0,
        result: undefined,
        updated: false,
        resolve: settle(resolve),
        reject: settle(reject),
      };
      signal?.addEventListener('abort', abort);
      this.#calls.set(id, call);
      sent?.(id);
      this.flush();
    });
  }

  /** What waits for a connection is bounded like the link's own queue. */
  #checkRoom(frame: string, fail: (kind: ErrorKind, text: string) => FailoverError): void {
    const { maxMessages, maxBytes } = this.limits;
    let messages = 1;
    let bytes = frameBytes(frame);
    for (const call of this.#calls.values())
      if (!this.#sent(call)) {
        messages += 1;
        bytes += frameBytes(call.frame);
      }
    if (messages > maxMessages || bytes > maxBytes)
      throw fail('overflow', `queue full (${maxMessages} messages, ${maxBytes} bytes)`);
  }

  #sent(call: Call): boolean {
    return !!call.result || call.epoch === this.wire.epoch;
  }

  /** Whether a login is waiting for its answer. */
  get loggingIn(): boolean {
    for (const call of this.#calls.values()) if (call.login && !call.result) return true;
    return false;
  }

  /** Sends what the current connection has not seen, in order. */
  flush(onlyLogins = false): void {
    if (!this.wire.usable) return;
    for (const call of this.#calls.values()) {
      if (this.#sent(call) || (onlyLogins && !call.login)) continue;
      call.epoch = this.wire.epoch;
      call.updated = false;
      this.wire.send(call.frame);
    }
  }

  result(id: string, error: DDPError | undefined, value: unknown): void {
    const call = this.#calls.get(id);
    if (error) call?.reject(error);
    else if (call && !call.result) {
      call.result = { value };
      call.login?.(value);
      if (call.updated) call.resolve(value);
    }
  }

  /** Everything these methods wrote is visible now. */
  updated(ids: readonly string[]): void {
    for (const id of ids) {
      const call = this.#calls.get(id);
      if (!call) continue;
      call.updated = true;
      if (call.result) call.resolve(call.result.value);
    }
  }

  /** The connection is gone; what must not be sent twice is given up. */
  lost(): void {
    for (const call of [...this.#calls.values()])
      if (!call.retry && call.epoch && !call.result)
        call.reject(new FailoverError('unconfirmed', 'the connection ended before the answer'));
  }

  /** The documents are those of the new connection: whatever calls answered on an older one wrote is among them. */
  caughtUp(): void {
    for (const call of [...this.#calls.values()])
      if (call.result && call.epoch !== this.wire.epoch) call.resolve(call.result.value);
  }

  close(error: FailoverError): void {
    for (const call of [...this.#calls.values()]) call.reject(error);
  }
}
