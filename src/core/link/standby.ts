import type { Attempt } from './attempt.ts';
import type { Env } from '../env/env.ts';
import type { ReconnectPolicy } from '../api/reconnect-policy.ts';

/** A standby is asked for a sign of life at least so often: balancers and DDP servers cut a connection that is silent for longer. */
const KEEP_MS = 10_000;

/** After so many connections to no other node there is probably only one: it is told once, and tried ever more rarely. */
const WARN_AFTER = 6;

/** Between two tries at most so many times the policy's cap. */
const CAP_FACTOR = 6;

export interface StandbyHooks {
  /** Dials, out of the same budget as everything else; undefined if that has nothing to spare. */
  dial(number: number): Attempt | undefined;
  nodeInUse(): string | undefined;
  /** All is well: it is time for a standby. */
  idle(): boolean;
  /** Asks for a sign of life; false if there is nothing to ask with. */
  ping(attempt: Attempt): boolean;
  /** So many connections led to the node in use, or failed. */
  lonely(tries: number): void;
  /** It is warm, or not any more. */
  changed(): void;
}

/** A second connection, known to lead to another node, open and quiet: on failure it takes the place of a dial. */
export interface Standby {
  /** The dial or connection that is being made one. */
  readonly attempt: Attempt | undefined;
  /** The node it leads to, once it is warm. */
  readonly node: string | undefined;
  /** Looks whether there should be one, and whether there still is. */
  look(): void;
  /** Its connection is through its handshake or has said something. */
  heard(): void;
  /** It failed, ended, or is of no use. */
  failed(): void;
  /** It is promoted. */
  take(): Attempt;
  /** It was not needed after all. */
  back(attempt: Attempt): void;
  /** It is not wanted any more, or its address must be free for a dial that matters more. */
  stop(): void;
}

export function createStandby(env: Env, policy: ReconnectPolicy, hooks: StandbyHooks): Standby {
  let attempt: Attempt | undefined;
  let warm = false;
  let tries = 0;
  let timer: unknown;

  const node = () => (warm ? attempt?.connection?.node : undefined);
  const after = (ms: number, fn: () => void) => {
    timer = env.setTimeout(() => {
      timer = undefined;
      fn();
    }, ms);
  };
  const rest = () => {
    env.clearTimeout(timer);
    timer = attempt = undefined;
    warm = false;
  };
  const stop = () => {
    attempt?.end();
    rest();
  };
  const failed = () => {
    const was = warm;
    stop();
    tries += 1;
    if (tries === WARN_AFTER) hooks.lonely(tries);
    look();
    if (was) hooks.changed();
  };
  const look = () => {
    const used = hooks.nodeInUse();
    if (used === undefined) return;
    // The link has moved to where its standby leads.
    if (node() === used) return failed();
    if (attempt || timer !== undefined || !hooks.idle()) return;
    const cap = Math.min(CAP_FACTOR * policy.capMs, policy.baseMs * 2 ** tries);
    after(policy.baseMs + env.random() * cap, () => {
      // Meanwhile an outage may have begun, or used the budget up.
      if (hooks.idle()) attempt = hooks.dial(tries + 1);
      if (!attempt) look();
    });
  };
  /** Asks now and then; no answer, no standby. */
  const beat = () => {
    after(Math.min(policy.idleQuietMs, KEEP_MS), () => {
      // It has lived so long: what it took to get it is forgotten.
      tries = 0;
      const connection = attempt!.connection!;
      if (!hooks.ping(attempt!)) return;
      // Nothing went out if the app's message threw.
      const dueAt = connection.ping?.overdueAt ?? 0;
      after(dueAt - env.now(), () => (connection.ping ? failed() : beat()));
    });
  };

  return {
    get attempt() {
      return attempt;
    },
    get node() {
      return node();
    },
    look,
    heard() {
      const { connection } = attempt!;
      if (warm || connection!.node === undefined) return;
      if (connection!.node === hooks.nodeInUse()) return failed();
      attempt!.keep();
      warm = true;
      beat();
      hooks.changed();
    },
    failed,
    take() {
      const taken = attempt!;
      rest();
      tries = 0;
      return taken;
    },
    back(unused) {
      attempt = unused;
      unused.keep();
      warm = true;
      beat();
    },
    stop,
  };
}
