import type { Env } from '../core/env.ts';
import { FailoverError, type ErrorKind } from '../core/errors.ts';
import type { QueueOptions } from '../core/options.ts';
import { frameBytes } from '../core/replay.ts';
import { toJson } from './ejson.ts';
import { encode } from './messages.ts';
import { checkTimeout } from './options.ts';
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

interface Call {
  readonly frame: string;
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
export class Methods {
  readonly #wire: Wire;
  readonly #env: Env;
  readonly #limits: Pick<QueueOptions, 'maxMessages' | 'maxBytes'>;
  readonly #defaultTimeoutMs: number;
  readonly #calls = new Map<string, Call>();
  /** Those among them that nothing passes. */
  #waiting = 0;
  /** Told when a call has settled. */
  #answered = () => {};

  constructor(
    wire: Wire,
    env: Env,
    limits: Pick<QueueOptions, 'maxMessages' | 'maxBytes'>,
    defaultTimeoutMs: number,
  ) {
    this.#wire = wire;
    this.#env = env;
    this.#limits = limits;
    this.#defaultTimeoutMs = defaultTimeoutMs;
  }

  /**
   * Rejects, never throws, whatever is wrong.
   * @param login makes it a login, see Call
   */
  apply(
    method: string,
    params: readonly unknown[],
    options: ApplyOptions = {},
    login?: (result: unknown) => void,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { retry = true, signal, timeoutMs = this.#defaultTimeoutMs } = options;
      const { randomSeed = retry ? String(this.#env.random()) : undefined } = options;
      const wait = Boolean(options.wait);
      checkTimeout('timeoutMs', timeoutMs, Infinity);
      const error = (kind: ErrorKind, text: string) =>
        new FailoverError(kind, `${method}: ${text}`, { cause: signal?.reason });
      if (this.#wire.closed) throw this.#wire.closed;
      if (signal?.aborted) throw error('aborted', 'aborted');
      const id = this.#wire.nextId();
      const frame = encode({ msg: 'method', method, id, randomSeed, params: toJson(params) });
      // What a hook calls goes before that which waited.
      const free = this.#ready && (this.#wire.greeting || !(wait ? this.#calls.size : this.#waiting));
      if (!free) this.#checkRoom(frame, error);

      const abort = () => call.fail('aborted', 'aborted');
      signal?.addEventListener('abort', abort);
      const timer =
        timeoutMs < Infinity &&
        this.#env.setTimeout(() => call.fail('timeout', `no answer in ${timeoutMs} ms`), timeoutMs);
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          if (this.#calls.delete(id)) this.#waiting -= +wait;
          this.#env.clearTimeout(timer);
          signal?.removeEventListener('abort', abort);
          how(value);
          if (wait || this.#waiting) this.flush();
          this.#moved();
        };
      const call: Call = {
        frame,
        retry,
        wait,
        login,
        greeting: this.#wire.greeting,
        epoch: 0,
        result: undefined,
        updated: false,
        resolve: settle(resolve),
        reject: settle(reject),
        fail: (kind, text) => call.reject(error(kind, text)),
      };
      this.#calls.set(id, call);
      this.#waiting += +wait;
      if (free) this.#send(call);
    });
  }

  /** What waits for a connection is bounded like the link's own queue. */
  #checkRoom(frame: string, error: (kind: ErrorKind, text: string) => FailoverError): void {
    const { maxMessages, maxBytes } = this.#limits;
    let messages = 1;
    let bytes = frameBytes(frame);
    for (const call of this.#calls.values())
      if (!this.#sent(call)) {
        messages += 1;
        bytes += frameBytes(call.frame);
      }
    if (messages > maxMessages || bytes > maxBytes)
      throw error('overflow', `queue full (${maxMessages} messages, ${maxBytes} bytes)`);
  }

  #sent(call: Call): boolean {
    return (
      !!call.result ||
      call.epoch === this.#wire.epoch ||
      // Given up, if its connection is.
      (!call.retry && call.epoch > 0) ||
      this.#isLate(call)
    );
  }

  /** It waits for an answer on the connection that is being left. */
  #isLate({ epoch, result, login, retry }: Call): boolean {
    // A login is of use only to the connection it is sent on: the new one gets its own.
    return !result && !(login && retry) && epoch > 0 && epoch === this.#wire.leaving;
  }

  /** May a call be sent? Those that are still under way on the connection before must not be overtaken. */
  get #ready(): boolean {
    const { usable, leaving, greeting } = this.#wire;
    return usable && (greeting || !leaving || ![...this.#calls.values()].some((call) => this.#isLate(call)));
  }

  /** Resolves when no call that was sent on this connection waits for an answer. */
  answered(epoch: number): Promise<void> {
    return new Promise((resolve) => {
      this.#answered = () => {
        if ([...this.#calls.values()].every((call) => call.epoch !== epoch)) resolve();
      };
      this.#answered();
    });
  }

  /** Sends what the current connection has not seen, in order. While a connection is greeted nothing but what hooks call goes out. */
  flush(): void {
    if (!this.#ready || this.#wire.greeting) return;
    let alone = true;
    for (const call of [...this.#calls.values()]) {
      const sent = this.#sent(call);
      if (call.wait && !alone && !sent) return;
      if (!sent) this.#send(call);
      if (call.wait) return;
      alone = false;
    }
  }

  /** Sends what goes before subscriptions: logins, and what hooks have called before. */
  greet(): void {
    for (const call of this.#calls.values())
      if ((call.login || call.greeting) && !this.#sent(call)) this.#send(call);
  }

  /** The server has refused to hear it yet. */
  unsent(id: unknown): void {
    const call = this.#calls.get(id as string);
    if (call?.epoch === this.#wire.epoch) call.epoch = 0;
  }

  #send(call: Call): void {
    call.epoch = this.#wire.epoch;
    call.updated = false;
    this.#wire.send(call.frame);
  }

  result(id: string, error: FailoverError | undefined, value: unknown): void {
    const call = this.#calls.get(id);
    if (error) call?.reject(error);
    else if (call && !call.result) {
      call.result = { value };
      call.login?.(value);
      if (call.updated) call.resolve(value);
      else this.#moved();
    }
  }

  /** A call got further: on a connection that is being left this may have been what others waited for. */
  #moved(): void {
    if (!this.#wire.leaving) return;
    this.flush();
    this.#answered();
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

  /** This connection is gone; what was sent on it and must not be sent twice is given up. */
  lost(epoch: number): void {
    for (const call of this.#calls.values())
      if (!call.retry && call.epoch === epoch && !call.result)
        call.fail('unconfirmed', 'connection lost before the answer');
  }

  /** The documents are those of the new connection: whatever calls answered on an older one wrote is among them. */
  caughtUp(): void {
    for (const call of this.#calls.values())
      if (call.result && call.epoch !== this.#wire.epoch) call.resolve(call.result.value);
  }

  close(error: FailoverError): void {
    for (const call of this.#calls.values()) call.reject(error);
  }
}
