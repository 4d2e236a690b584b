import { failure, type Failure, type FailureKind } from '../api/failure.ts';
import type { DialContext, ResolvedOptions } from '../api/options.ts';
import type { AbandonedHandshakes } from '../env/abandoned-handshakes.ts';
import type { Engine } from '../env/engines.ts';
import type { ConnectionEnd } from '../rules/classify.ts';
import { connect, type Connection } from './connection.ts';
import type { Endpoint, Endpoints } from './endpoints.ts';
import type { Dialler } from './socket.ts';

/** What to dial for. */
export interface Plan extends Omit<DialContext, 'signal'> {
  /** Time the handshake is given, ms. */
  readonly deadlineMs: number;
  /** Pacing before it, ms. */
  readonly waitedMs: number;
  /** Address to dial, if it is known. @default what the endpoints say */
  readonly endpoint?: Endpoint | undefined;
}

/** One dial: asks for the address, waits for its turn among the tabs, connects. Given up at its deadline. */
export interface Attempt {
  /** When it went out, on the env's clock; before that, when it was decided. */
  startedAt: number;
  /** From the decision until it went out: pace, provider, lock; ms. */
  waitedMs: number;
  deadlineMs: number;
  /** A standby that took the place of a dial. */
  promoted?: boolean;
  endpoint?: Endpoint;
  connection?: Connection;
  /** Fails the attempt with `kind` in `ms` from now. Replaces the deadline before. */
  setDeadline(ms: number, kind: FailureKind): void;
  clearDeadline(): void;
  /** Gives the attempt up: no handler is called any more. */
  dispose(): void;
}

export interface AttemptHandlers {
  /** Open and through its handshake. */
  ready(attempt: Attempt): void;
  failed(attempt: Attempt, failure: Failure): void;
  /** The URL or protocol provider threw. */
  providerFailed(attempt: Attempt, cause: DialContext['cause'], error: unknown): void;
  /** See ConnectionHandlers. */
  receive(connection: Connection, event: MessageEvent): void;
  deliver(connection: Connection, event: MessageEvent): void;
  /** A connection ended by itself, open or not. */
  ended(attempt: Attempt, connection: Connection, end: ConnectionEnd): void;
  /** A socket is under way. */
  dialled(connection: Connection): void;
}

/** Longest wait for a host's lock in an engine that leaks abandoned handshakes, ms. Two that hang take 40 s in Firefox. */
const TURN_MS = 60_000;

/** The Web Lock of a host, while a dial holds it. */
interface LockTurn {
  readonly host: string;
  /** Lets the next tab dial. Undefined once it is freed or handed on. */
  free: (() => void) | undefined;
}

/** Returns a function that starts dials. Handlers are never called before it has returned. */
export function createAttempts(
  options: ResolvedOptions,
  endpoints: Endpoints,
  dialler: Dialler,
  engine: Engine,
  abandoned: AbandonedHandshakes,
  on: AttemptHandlers,
): (plan: Plan) => Attempt {
  const { env, policy } = options;
  /** The turn of a dial that has just ended, for one that follows at once: to ask for another takes milliseconds. */
  let keptTurn: LockTurn | undefined;

  return ({ attempt: number, cause, deadlineMs, waitedMs, endpoint }) => {
    const abort = new AbortController();
    const decidedAt = env.now();
    let timer: unknown;
    let isOver = false;
    /** Lets the next tab dial. */
    let freeTurn: (() => void) | undefined;

    const attempt: Attempt = {
      startedAt: decidedAt,
      waitedMs,
      deadlineMs,
      setDeadline(ms, kind) {
        env.clearTimeout(timer);
        if (!isOver) timer = env.setTimeout(() => on.failed(attempt, failure(kind)), ms);
      },
      clearDeadline: () => env.clearTimeout(timer),
      dispose() {
        const { connection } = attempt;
        const endedByItself = isOver;
        isOver = true;
        noteIfAbandoned(endedByItself);
        env.clearTimeout(timer);
        abort.abort();
        if (endedByItself) keepTurn();
        else freeTurn?.();
        connection?.detach();
      },
    };

    /** A handshake that hung is abandoned when we give it up, and in Firefox also when the engine does. */
    const noteIfAbandoned = (endedByItself: boolean): void => {
      const { connection } = attempt;
      if (!connection || connection.openedAt !== undefined) return;
      const timedOutByEngine = env.now() - attempt.startedAt >= engine.openTimeoutMs;
      if (timedOutByEngine || !endedByItself) abandoned.add(attempt.endpoint!.host);
    };

    /** Keeps the turn for a dial that follows in the same task, then frees it. */
    const keepTurn = (): void => {
      if (!freeTurn) return;
      const turn: LockTurn = (keptTurn = { host: attempt.endpoint!.host, free: freeTurn });
      queueMicrotask(() => {
        turn.free?.();
        turn.free = undefined;
      });
    };

    const connectNow = (): void => {
      if (isOver || attempt.connection) return;
      attempt.startedAt = env.now();
      attempt.waitedMs = waitedMs + attempt.startedAt - decidedAt;
      // Counted now: other tabs may have abandoned some while this one waited for its turn.
      const count = abandoned.of(attempt.endpoint!.host).length;
      if (count >= engine.maxAbandons) return attempt.setDeadline(0, 'timeout');
      // After `freeAbandons` the deadline lies behind the engine's own timeout, so that only the engine gives up. Without locks an
      // orphan may hang before this dial, for one timeout more.
      const patienceMs = count >= engine.freeAbandons ? engine.openTimeoutMs * (env.locks ? 1.25 : 2.25) : 0;
      attempt.setDeadline(Math.max(deadlineMs, patienceMs), 'timeout');
      const connection: Connection = (attempt.connection = connect(dialler, attempt.endpoint!, options, {
        opened() {
          freeTurn?.();
          freeTurn = undefined;
          // A login may ask another server: only the dial itself is known to be quick.
          if (options.handshake) attempt.setDeadline(policy.deadlineCapMs, 'handshake');
        },
        ready: () => on.ready(attempt),
        receive: (event) => on.receive(connection, event),
        deliver: (event) => on.deliver(connection, event),
        ended(end) {
          isOver = true;
          on.ended(attempt, connection, end);
        },
      }));
      on.dialled(connection);
    };

    /** Engines let one handshake at a time through to an address, whichever tab it is from: a deadline must not run meanwhile. */
    const awaitTurn = (at: Endpoint): void => {
      if (isOver) return;
      attempt.endpoint = at;
      if (keptTurn?.free && keptTurn.host === at.host) {
        freeTurn = keptTurn.free;
        keptTurn.free = undefined;
        return connectNow();
      }
      if (!env.locks) return connectNow();
      // A tab that was frozen while it held the lock does not hold us up for longer than this. Where abandoned handshakes
      // leak, no turn is taken by force: the one before may hang until the engine gives it up.
      env.clearTimeout(timer);
      if (engine.maxAbandons === Infinity)
        timer = env.setTimeout(connectNow, Math.max(policy.deadlineCapMs, deadlineMs));
      else attempt.setDeadline(TURN_MS, 'timeout');
      env.locks
        .request(`failover-websocket:${at.host}`, { signal: abort.signal }, () => {
          if (isOver || attempt.connection) return;
          return new Promise<void>((resolve) => {
            freeTurn = resolve;
            connectNow();
          });
        })
        .catch(connectNow);
    };

    const next = endpoint ?? endpoints.next({ attempt: number, cause, signal: abort.signal });
    if (next instanceof Promise) {
      // A provider may hang, so it gets a deadline.
      attempt.setDeadline(policy.deadlineCapMs, 'provider');
      next.then(awaitTurn, (error: unknown) => {
        if (!isOver) on.providerFailed(attempt, cause, error);
      });
    } else awaitTurn(next);
    return attempt;
  };
}
