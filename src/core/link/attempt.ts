import { connect, type Connection } from './connection.ts';
import type { Engine } from '../env/engines.ts';
import { failure, type Failure, type FailureKind } from '../api/failure.ts';
import type { Leaks } from '../env/abandoned-handshakes.ts';
import type { DialContext, ResolvedOptions } from '../api/options.ts';
import type { ConnectionEnd } from '../rules/classify.ts';
import type { Dialler } from './socket.ts';
import type { Target, Where } from './endpoints.ts';

/** What to dial for. */
export interface Plan extends Omit<DialContext, 'signal'> {
  /** How long the handshake is given, ms. */
  readonly deadlineMs: number;
  /** Pacing that went before it, ms. */
  readonly waitedMs: number;
  /** Where to, if that is known. @default whatever the target says */
  readonly where?: Where | undefined;
}

/** One dial: asks for the address, waits for its turn among the tabs, connects; given up at its deadline. */
export interface Attempt {
  /** When it went out, on the env's clock; before that, when it was decided. */
  startedAt: number;
  /** From the decision until it went out: pace, provider, lock. */
  waitedMs: number;
  deadlineMs: number;
  /** A standby that took the place of a dial. */
  promoted?: boolean;
  where?: Where;
  connection?: Connection;
  /** From now on it has so long, or it has failed. */
  due(ms: number, kind: FailureKind): void;
  /** No deadline any more. */
  keep(): void;
  /** Given up: nothing of it is heard any more. */
  end(): void;
}

export interface AttemptHandlers {
  /** Open and through its handshake. */
  ready(attempt: Attempt): void;
  failed(attempt: Attempt, failure: Failure): void;
  /** A provider threw. */
  unanswered(attempt: Attempt, cause: DialContext['cause'], error: unknown): void;
  /** See ConnectionHandlers. */
  heard(connection: Connection, data: unknown): boolean;
  frame(connection: Connection, event: MessageEvent): void;
  /** An open connection ended. */
  ended(attempt: Attempt, connection: Connection, end: ConnectionEnd): void;
  /** A socket is under way. */
  dialled(connection: Connection): void;
}

/** Where abandoned handshakes leak, one turn is waited for so long: twice as long as the engine lets a handshake hang, and more. */
const TURN_MS = 60_000;

interface Turn {
  readonly host: string;
  /** Lets the next tab dial; undefined when somebody else does, or has. */
  free: (() => void) | undefined;
}

/** Starts dials. Handlers are never called before it has returned. */
export function createAttempts(
  options: ResolvedOptions,
  target: Target,
  dialler: Dialler,
  engine: Engine,
  leaks: Leaks,
  on: AttemptHandlers,
): (plan: Plan) => Attempt {
  const { env, policy } = options;
  /** The turn of a dial that was just refused, for one that follows at once: to ask for another takes milliseconds. */
  let kept: Turn | undefined;
  return ({ attempt: number, cause, deadlineMs, waitedMs, where }) => {
    const abort = new AbortController();
    const decidedAt = env.now();
    let timer: unknown;
    let over = false;
    /** Lets the next tab dial. */
    let release: (() => void) | undefined;

    const mine: Attempt = {
      startedAt: decidedAt,
      waitedMs,
      deadlineMs,
      due(ms, kind) {
        env.clearTimeout(timer);
        if (!over) timer = env.setTimeout(() => on.failed(mine, failure(kind)), ms);
      },
      keep: () => env.clearTimeout(timer),
      end() {
        const { connection } = mine;
        // Given up while it hung, by us or (in Firefox, which leaks those as well) by the engine itself.
        const late = env.now() - mine.startedAt >= engine.openTimeoutMs;
        if (connection?.openedAt === undefined && connection && (late || !over)) leaks.add(mine.where!.host);
        const ended = over;
        over = true;
        env.clearTimeout(timer);
        abort.abort();
        if (!ended) release?.();
        else if (release) {
          const turn: Turn = (kept = { host: mine.where!.host, free: release });
          queueMicrotask(() => {
            turn.free?.();
            turn.free = undefined;
          });
        }
        connection?.detach();
      },
    };

    const go = (): void => {
      if (over || mine.connection) return;
      mine.startedAt = env.now();
      mine.waitedMs = waitedMs + mine.startedAt - decidedAt;
      // Counted now: other tabs may have left some while this one waited for its turn.
      const leaked = leaks.of(mine.where!.host).length;
      if (leaked >= engine.maxAbandons) return mine.due(0, 'timeout');
      // From here on only the engine itself may give up.
      // Without locks one that is only forgotten may go before it.
      const patient = leaked >= engine.freeAbandons && engine.openTimeoutMs * (env.locks ? 1.25 : 2.25);
      mine.due(Math.max(deadlineMs, +patient), 'timeout');
      const connection: Connection = (mine.connection = connect(dialler, mine.where!, options, {
        opened() {
          release?.();
          release = undefined;
          // A login may ask another server; only the dial itself is known to be quick.
          if (options.handshake) mine.due(policy.deadlineCapMs, 'handshake');
        },
        ready: () => on.ready(mine),
        heard: (data) => on.heard(connection, data),
        frame: (event) => on.frame(connection, event),
        ended(end) {
          over = true;
          on.ended(mine, connection, end);
        },
      }));
      on.dialled(connection);
    };

    /** Engines let one handshake at a time through to an address, whichever tab it is from: a deadline must not run meanwhile. */
    const queue = (at: Where): void => {
      if (over) return;
      mine.where = at;
      if (kept?.free && kept.host === at.host) {
        release = kept.free;
        kept.free = undefined;
        return go();
      }
      if (!env.locks) return go();
      // A tab that was frozen while it held the lock does not hold us for longer than this. Where abandoned handshakes leak,
      // no turn is taken: the one before may hang for as long as the engine lets it.
      env.clearTimeout(timer);
      if (engine.maxAbandons === Infinity)
        timer = env.setTimeout(go, Math.max(policy.deadlineCapMs, deadlineMs));
      else mine.due(TURN_MS, 'timeout');
      env.locks
        .request(`failover-websocket:${at.host}`, { signal: abort.signal }, () => {
          if (over || mine.connection) return;
          return new Promise<void>((resolve) => {
            release = resolve;
            go();
          });
        })
        .catch(go);
    };

    const asked = where ?? target.ask({ attempt: number, cause, signal: abort.signal });
    if (asked instanceof Promise) {
      // Nothing hangs for ever, a provider included.
      mine.due(policy.deadlineCapMs, 'provider');
      asked.then(queue, (error: unknown) => {
        if (!over) on.unanswered(mine, cause, error);
      });
    } else queue(asked);
    return mine;
  };
}
