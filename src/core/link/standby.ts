import type { ResolvedOptions } from '../api/options.ts';
import type { Attempt, Plan } from './attempt.ts';
import type { Driver } from './driver.ts';
import type { HeartbeatMonitor } from './heartbeat.ts';
import type { LinkCounts } from './recorder.ts';
import type { Serving } from './serving.ts';
import type { Warnings } from './warnings.ts';

/** Longest silence of a standby, ms: balancers and DDP servers cut connections that are silent for longer. */
const KEEP_ALIVE_MS = 10_000;

/** After this many failed tries in a row the app is warned: there is probably no other node. Tries go on, ever more rarely. */
const WARN_AFTER = 6;

/** Longest wait between two tries, in the policy's `capMs`. */
const CAP_FACTOR = 6;

export interface StandbyParts {
  readonly driver: Driver;
  readonly warnings: Warnings;
  readonly heartbeat: HeartbeatMonitor;
  readonly serving: Serving;
  readonly counts: LinkCounts;
  /** Starts a dial. */
  start(plan: Plan): Attempt;
  /** Could the next dial only be given up by the engine itself? Then none is spent on a standby. */
  isDiallingScarce(): boolean;
  /** Called when the standby becomes warm, or is warm no more. */
  changed(): void;
}

/** A second connection, known to lead to another node, open and quiet: on failure it takes the place of a dial. */
export interface Standby {
  /** The dial or connection that is being made a standby, or is one. */
  readonly attempt: Attempt | undefined;
  /** The node it leads to, once it is warm. */
  readonly node: string | undefined;
  /** Looks whether there should be a standby, and whether there still is one. */
  reconsider(): void;
  /** Its connection is through its handshake or has said something. */
  noteReady(): void;
  /** It failed, ended, or is of no use. */
  noteFailed(): void;
  /** Hands it over to take the place of a dial. */
  promote(): Attempt;
  /** Takes it back: it was not needed after all. */
  demote(attempt: Attempt): void;
  /** Ends it: it is not wanted any more, or its address must be free for a dial that matters more. */
  stop(): void;
}

export function createStandby(
  { env, policy, standby: isEnabled }: Pick<ResolvedOptions, 'env' | 'policy' | 'standby'>,
  parts: StandbyParts,
): Standby {
  const { driver, warnings, heartbeat, serving, counts } = parts;
  let attempt: Attempt | undefined;
  let isWarm = false;
  let tries = 0;
  let timer: unknown;

  const warmNode = () => (isWarm ? attempt?.connection?.node : undefined);

  /** All is well: it is time for a standby. */
  const isWanted = () => {
    const { state } = driver;
    return isEnabled && driver.isOnline && state.name === 'online' && !state.outage;
  };

  const after = (ms: number, fn: () => void): void => {
    timer = env.setTimeout(() => {
      timer = undefined;
      fn();
    }, ms);
  };

  const reset = (): void => {
    env.clearTimeout(timer);
    timer = attempt = undefined;
    isWarm = false;
  };

  const stop = (): void => {
    attempt?.dispose();
    reset();
  };

  const noteFailed = (): void => {
    const wasWarm = isWarm;
    stop();
    tries += 1;
    if (tries === WARN_AFTER)
      warnings.warn(
        'standby',
        `${tries} connections for a standby failed or led to the node in use. Check that another node is up, or set \`standby: 'off'\`.`,
      );
    reconsider();
    if (wasWarm) parts.changed();
  };

  const dial = (): Attempt | undefined => {
    // Out of the same budget as everything else.
    if (parts.isDiallingScarce() || !driver.takeSpareDial(policy.fastAttempts)) return undefined;
    counts.dials += 1;
    return parts.start({
      attempt: tries + 1,
      cause: undefined,
      deadlineMs: policy.deadlineCapMs,
      waitedMs: 0,
    });
  };

  const reconsider = (): void => {
    const nodeInUse = serving.current?.node;
    if (nodeInUse === undefined) return;
    // The link has moved to where its standby leads.
    if (warmNode() === nodeInUse) return noteFailed();
    if (attempt || timer !== undefined || !isWanted()) return;
    const cap = Math.min(CAP_FACTOR * policy.capMs, policy.baseMs * 2 ** tries);
    after(policy.baseMs + env.random() * cap, () => {
      // Meanwhile an outage may have begun, or used the budget up.
      if (isWanted()) attempt = dial();
      if (!attempt) reconsider();
    });
  };

  /** Pings now and then: without an answer it is no standby. */
  const keepAlive = (): void => {
    after(Math.min(policy.idleQuietMs, KEEP_ALIVE_MS), () => {
      // It has lived for a while: what it took to get it is forgotten.
      tries = 0;
      const connection = attempt!.connection!;
      heartbeat.ping(connection);
      if (!heartbeat.isActive) return;
      // Nothing went out if the app's message threw.
      const dueAt = connection.ping?.overdueAt ?? 0;
      after(dueAt - env.now(), () => (connection.ping ? noteFailed() : keepAlive()));
    });
  };

  const keepWarm = (): void => {
    attempt!.clearDeadline();
    isWarm = true;
    keepAlive();
  };

  return {
    get attempt() {
      return attempt;
    },
    get node() {
      return warmNode();
    },
    reconsider,
    noteReady() {
      const { node, drainNotice } = attempt!.connection!;
      if (drainNotice) return noteFailed();
      if (isWarm || node === undefined) return;
      if (node === serving.current?.node) return noteFailed();
      keepWarm();
      parts.changed();
    },
    noteFailed,
    promote() {
      const promoted = attempt!;
      reset();
      tries = 0;
      return promoted;
    },
    demote(unused) {
      attempt = unused;
      keepWarm();
    },
    stop,
  };
}
