import type { Env } from '../core/env/env.ts';
import type { FailoverError } from '../core/api/errors.ts';
import type { QueueOptions } from '../core/api/options.ts';
import {
  callError,
  checkRequest,
  createCall,
  encodeCall,
  type ApplyOptions,
  type Call,
  type LoginCall,
} from './call.ts';
import { createCallQueue, type CallQueue } from './call-queue.ts';
import type { Wire } from './wire.ts';

const UNCONFIRMED =
  'the connection ended before the answer. The server may or may not have run the call, and `retry: false` forbids sending it again.';

/** Method calls, from `apply` until they settle. */
export interface Methods extends Pick<CallQueue, 'flush' | 'sendLogins' | 'markUnsent'> {
  /**
   * Rejects, never throws, whatever is wrong.
   * @param login makes the call a login
   */
  apply(
    method: string,
    params: readonly unknown[],
    options?: ApplyOptions,
    login?: LoginCall,
  ): Promise<unknown>;
  /** Resolves when no call that was sent on this connection waits for an answer. */
  whenAnswered(epoch: number): Promise<void>;
  /** The server has answered. */
  onResult(id: unknown, error: FailoverError | undefined, value: unknown): void;
  /** Everything these methods wrote is visible now. */
  onUpdated(ids: readonly string[]): void;
  /** The calls that were sent on this connection, wait for an answer and must not be sent again. */
  unconfirmed(epoch: number): readonly Call[];
  /** This connection is gone: calls on it that must not be sent twice reject. */
  failUnconfirmed(epoch: number): void;
  /** The documents are those of the new connection, with whatever the calls answered on an older one wrote: these settle. */
  settleAnswered(): void;
  /** Rejects every call. */
  close(error: FailoverError): void;
}

export function createMethods(
  wire: Wire,
  env: Env,
  limits: Pick<QueueOptions, 'maxMessages' | 'maxBytes'>,
  defaultTimeoutMs: number,
): Methods {
  const queue = createCallQueue(wire, limits);
  let checkAnswered = () => {};

  /** A call got further. Other calls may have waited for this on a connection that is being left. */
  const noteProgress = (): void => {
    if (!wire.leavingEpoch) return;
    queue.flush();
    checkAnswered();
  };

  const onSettled = (call: Call): void => {
    queue.remove(call);
    if (call.wait || queue.hasBarrier()) queue.flush();
    noteProgress();
  };

  const unconfirmed = (epoch: number): Call[] =>
    queue.all().filter((call) => !call.retry && call.epoch === epoch && !call.result);

  return {
    apply: (method, params, options = {}, login) =>
      new Promise((resolve, reject) => {
        const request = checkRequest(method, params, options, login, env, defaultTimeoutMs);
        if (wire.closeError) throw wire.closeError;
        if (request.signal?.aborted)
          throw callError(request, 'aborted', 'its signal was aborted before the call. It was not sent.');
        const encoded = encodeCall(login?.id ?? wire.nextId(), request);
        const canSendNow = queue.canSendNow(request.wait);
        if (!canSendNow && !queue.hasRoom(encoded.bytes))
          throw callError(
            request,
            'overflow',
            `the queue of calls that wait for a connection is full (${limits.maxMessages} messages, ${limits.maxBytes} bytes). Retry later, or raise queue.maxMessages and queue.maxBytes.`,
          );
        const { isPreamble } = wire;
        const call = createCall(env, request, { ...encoded, isPreamble }, { resolve, reject }, onSettled);
        queue.add(call);
        if (canSendNow) queue.send(call);
      }),
    whenAnswered: (epoch) =>
      new Promise((resolve) => {
        checkAnswered = () => {
          if (queue.all().every((call) => call.epoch !== epoch)) resolve();
        };
        checkAnswered();
      }),
    flush: queue.flush,
    sendLogins: queue.sendLogins,
    markUnsent: queue.markUnsent,
    onResult(id, error, value) {
      const call = queue.get(id);
      if (error) call?.reject(error);
      else if (call && !call.result) {
        call.result = { value };
        call.login?.onResult(value);
        if (call.isUpdated) call.resolve(value);
        else noteProgress();
      }
    },
    onUpdated(ids) {
      for (const id of ids) {
        const call = queue.get(id);
        if (!call) continue;
        call.isUpdated = true;
        if (call.result) call.resolve(call.result.value);
      }
    },
    unconfirmed,
    failUnconfirmed(epoch) {
      for (const call of unconfirmed(epoch)) call.fail('unconfirmed', UNCONFIRMED);
    },
    settleAnswered() {
      for (const call of queue.all())
        if (call.result && call.epoch !== wire.epoch) call.resolve(call.result.value);
    },
    close(error) {
      for (const call of queue.all()) call.reject(error);
    },
  };
}
