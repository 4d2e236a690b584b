import type { FailoverError } from '../../../src/core/api/errors.ts';
import type { Work } from '../plan.ts';
import type { SimSocket } from '../world/socket.ts';
import type { DdpPage } from './ddp-page.ts';

type Plan = Extract<Work, { do: 'call' }>;

interface Call extends Plan {
  readonly number: number;
  readonly tag: string;
  readonly madeAt: number;
  aborted: boolean;
  /** How often it settled. */
  settled: number;
  frame: string | undefined;
  readonly sockets: Set<SimSocket>;
}

/** The calls of one app: what becomes of each, on the wire, on the servers and to whoever waits. */
export class Calls {
  readonly #page: DdpPage;
  readonly #calls = new Map<string, Call>();
  /** Sent for the first time, the latest of them. */
  #last = 0;

  constructor(page: DdpPage) {
    this.#page = page;
  }

  make(plan: Plan): void {
    const { world, tab, store, ddp } = this.#page;
    const number = this.#calls.size + 1;
    const tag = `t${tab.index}c${number}`;
    const call: Call = {
      ...plan,
      number,
      tag,
      madeAt: world.clock.now,
      aborted: false,
      settled: 0,
      frame: undefined,
      sockets: new Set(),
    };
    this.#calls.set(tag, call);
    const abort = plan.abortMs === undefined ? undefined : new AbortController();
    if (abort)
      world.clock.after(plan.abortMs!, () =>
        tab.deliver(() => {
          call.aborted = true;
          abort.abort();
        }),
      );
    const { retry, wait, timeoutMs, method } = plan;
    ddp
      .apply(method, [tag, store.name(plan.doc)], {
        retry,
        wait,
        timeoutMs,
        ...(abort && { signal: abort.signal }),
      })
      .then(
        (result) => this.#resolved(call, result),
        (error: FailoverError) => this.#rejected(call, error),
      );
  }

  sent(socket: SimSocket, frame: string, id: string, tag: unknown): void {
    const call = this.#calls.get(tag as string);
    if (!call) return;
    // What was refused unheard was never sent.
    if (this.#page.store.refused.delete(tag)) {
      call.frame = undefined;
      call.sockets.clear();
      this.#last = Math.min(this.#last, call.number - 1);
    }
    const told = `${call.tag} (${call.method}, id ${id})`;
    if (!call.retry && call.frame !== undefined)
      this.#page.violated('sent-twice', `${told} has retry: false and is sent again`);
    if (call.sockets.has(socket))
      this.#page.violated('sent-twice', `${told} is sent twice on socket ${socket.id}`);
    if (call.settled) this.#page.violated('sent-twice', `${told} is sent after it has settled`);
    if (call.frame !== undefined && call.frame !== frame)
      this.#page.violated('order', `${told} is sent again as another frame: ${frame}`);
    if (call.frame === undefined) {
      if (call.number < this.#last) this.#page.violated('order', `${told} is sent after a later one`);
      this.#last = Math.max(this.#last, call.number);
    }
    if (call.sockets.size > 0 && this.#page.pace.announced)
      this.#page.violated(
        'drain',
        `${told} is sent again, though the node that runs it said in time that it goes`,
      );
    call.frame = frame;
    call.sockets.add(socket);
  }

  #settle(call: Call, how: string): void {
    this.#page.say(`${call.tag} ${how}`);
    call.settled += 1;
    const ran = this.#page.store.ran.get(call.tag)?.length ?? 0;
    if (!call.retry && ran > 1)
      this.#page.violated('sent-twice', `${call.tag} has retry: false and ran ${ran} times`);
    const late = this.#page.world.clock.now - call.madeAt - call.timeoutMs;
    if (late > 1 && !this.#page.tab.heldUp)
      this.#page.violated('settle', `${call.tag} settled ${late} ms after its time was over`);
  }

  #resolved(call: Call, result: unknown): void {
    this.#settle(call, `resolves with ${String(result)}`);
    const { store } = this.#page;
    const results = store.ran.get(call.tag) ?? [];
    if (!results.includes(result))
      this.#page.violated(
        'settle',
        `${call.tag} resolves with ${String(result)}, the server said ${results.join()}`,
      );
    if (call.method === 'fail') this.#page.violated('settle', `${call.tag} resolves though it failed`);
    // By a connection that was left meanwhile: the one in use may be told of it a moment later.
    if (!call.sockets.has(this.#page.current!)) return;
    const id = store.name(call.doc);
    const doc = store.docs.get(id);
    const seen = this.#page.seen(id);
    // Written before, still alive and subscribed to: then it can be seen, as new as that at least.
    if (
      doc &&
      this.#page.covers(doc) &&
      doc.life <= (result as number) &&
      (seen?.v ?? 0) < (result as number) &&
      call.method !== 'remove'
    )
      this.#page.violated(
        'documents',
        `${call.tag} wrote version ${String(result)} of ${id}, the app sees ${seen?.v}`,
      );
  }

  #rejected(call: Call, error: FailoverError): void {
    this.#settle(call, `rejects: ${error.message}`);
    const { world, gaveUp, closed } = this.#page;
    const ran = this.#page.store.ran.get(call.tag)?.length ?? 0;
    const may: Partial<Record<string, boolean>> = {
      server: call.method === 'fail' && ran > 0,
      unconfirmed: !call.retry && call.frame !== undefined,
      timeout: world.clock.now - call.madeAt >= call.timeoutMs - 1e-6,
      aborted: call.aborted,
      closed,
      exhausted: gaveUp,
      unauthorized: gaveUp,
      overflow: call.frame === undefined,
    };
    if (!may[error.kind])
      this.#page.violated('settle', `${call.tag} rejects for no reason: ${error.kind} ${error.message}`);
  }

  pending(): string | undefined {
    for (const call of this.#calls.values())
      if (!call.settled) return `${call.tag} (${call.method}) has not settled`;
    return undefined;
  }

  /** Each has settled once. */
  check(): void {
    for (const call of this.#calls.values())
      if (call.settled !== 1) this.#page.violated('settle', `${call.tag} settled ${call.settled} times`);
  }
}
