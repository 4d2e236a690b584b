import type { Failure } from '../api/failure.ts';
import type { ResolvedOptions } from '../api/options.ts';
import type { AttemptReport } from '../api/report.ts';
import type { Engine } from '../env/engines.ts';
import type { Attempt, Plan } from './attempt.ts';
import type { Connection } from './connection.ts';
import type { Driver } from './driver.ts';
import type { Endpoints } from './endpoints.ts';
import type { HeartbeatMonitor } from './heartbeat.ts';
import type { Recorder } from './recorder.ts';
import type { Standby } from './standby.ts';

/** A dial that takes longer gets one to another address beside it (RFC 8305, section 5: connection attempt delay). */
const RACE_MS = 250;

export interface RaceParts {
  readonly driver: Driver;
  readonly options: ResolvedOptions;
  readonly engine: Engine;
  readonly endpoints: Endpoints;
  readonly heartbeat: HeartbeatMonitor;
  readonly standby: Standby;
  readonly recorder: Recorder;
  /** Starts a dial. */
  start(plan: Plan): Attempt;
}

export interface RaceHooks {
  /** Sends the app's subscriptions on a connection that is not in use yet. */
  replay(connection: Connection): void;
  /** An attempt ended without being used. */
  attemptEnded(report: AttemptReport): void;
}

/** The attempt under way, the one to another address beside it, and orphans: dials that nobody wants any more. */
export interface Race {
  /** A replacement already has the app's subscriptions but is not in use. */
  readonly isHandingOver: boolean;
  /** Starts a dial. When it takes long, one to another address goes out beside it. */
  dial(plan: Plan): void;
  /** Puts the warm standby in the place of a dial. */
  promoteStandby(plan: Plan): void;
  /** The attempt, or the standby, whose connection this is. */
  attemptOf(connection: Connection): Attempt | undefined;
  /** An attempt is open and through its handshake, or has said something since. */
  noteReady(attempt: Attempt): void;
  /** The connection in use is gone: a replacement that waits only for its proof is better than nothing. */
  settleForUnproven(): void;
  noteFailed(attempt: Attempt, failure: Failure): void;
  /** Takes the winner out of the race: it belongs to the link from now on. */
  takeWinner(): Attempt;
  /** No dial is wanted any more. */
  cancel(): void;
  endOrphans(): void;
}

export function createRace(parts: RaceParts, hooks: RaceHooks): Race {
  const { driver, options, engine, endpoints, heartbeat, standby, recorder, start } = parts;
  const { env } = options;
  const { counts } = recorder;
  let attempt: Attempt | undefined;
  let rival: Attempt | undefined;
  let raceTimer: unknown;
  /** They end when they open or fail. */
  const orphans = new Set<Attempt>();

  const dialAlternative = (plan: Plan, beside: Attempt): void => {
    const endpoint = beside.endpoint && endpoints.alternativeTo(beside.endpoint);
    // Distinct addresses are dialled side by side, since engines serialise handshakes per address only.
    if (!endpoint || !driver.takeSpareDial(options.policy.fastAttempts)) return;
    counts.dials += 1;
    rival = start({ ...plan, endpoint });
  };

  const endAttempt = (ended: Attempt, outcome: AttemptReport['outcome']): void => {
    if (ended === attempt) attempt = undefined;
    else rival = undefined;
    env.clearTimeout(raceTimer);
    const isHanging = ended.connection !== undefined && !ended.connection.openedAt;
    // Where the engine would leak its connection, a dial that is not needed may open first: it becomes an orphan.
    if (outcome === 'cancelled' && isHanging && engine.maxAbandons !== Infinity) orphans.add(ended);
    else ended.dispose();
    hooks.attemptEnded(recorder.addAttempt(ended, outcome));
  };

  /** Makes one the only attempt. Returns false if a listener has started another. */
  const claimRace = (winner: Attempt): boolean => {
    const other = winner === rival ? attempt : rival;
    attempt = winner;
    if (other) endAttempt(other, 'cancelled');
    return attempt === winner;
  };

  const noteReady = (ready: Attempt): void => {
    if (orphans.delete(ready)) return ready.dispose();
    if (ready === standby.attempt) return standby.noteReady();
    const connection = ready.connection!;
    const { name } = driver.state;
    // A node that drains serves until the app's subscriptions are known to have arrived here.
    const mustConfirmReplay = name === 'draining' && !options.layer && heartbeat.isActive;
    const isProven = mustConfirmReplay
      ? connection.replayed && !connection.pendingPings[0]
      : !heartbeat.isActive || connection.firstInboundAt !== undefined;
    if (name !== 'seeking' && !isProven) return prove(ready, connection, mustConfirmReplay);
    if (!claimRace(ready)) return;
    const tookMs = ready.promoted ? undefined : connection.openedAt! - ready.startedAt;
    driver.dispatch({ type: 'opened', proven: isProven, tookMs });
    driver.followDrainNotice(connection);
  };

  /** Beside a connection that still serves, a replacement takes over only when it has answered. */
  const prove = (ready: Attempt, connection: Connection, mustConfirmReplay: boolean): void => {
    // A ping is out already: do not send another, and keep the deadline.
    if (connection.ping ?? connection.pendingPings[0]) return;
    ready.setDeadline(ready.deadlineMs, 'timeout');
    if (mustConfirmReplay && !connection.replayed) {
      // Only one attempt may get the subscriptions, and those added meanwhile.
      if (!claimRace(ready)) return;
      connection.replayed = true;
      hooks.replay(connection);
    }
    heartbeat.ping(connection, ready.deadlineMs);
  };

  return {
    get isHandingOver() {
      return !!attempt?.connection?.replayed;
    },
    dial(plan) {
      // A standby that is not warm yet would hold up this dial. A warm one would have been promoted.
      standby.stop();
      counts.dials += 1;
      const started = (attempt = start(plan));
      raceTimer = env.setTimeout(() => dialAlternative(plan, started), RACE_MS);
    },
    promoteStandby({ waitedMs, deadlineMs }) {
      const promoted = (attempt = standby.promote());
      Object.assign(promoted, { promoted: true, startedAt: env.now(), waitedMs, deadlineMs });
      promoted.setDeadline(deadlineMs, 'timeout');
      // It has to answer now, not some time ago.
      promoted.connection!.firstInboundAt = undefined;
      noteReady(promoted);
    },
    attemptOf: (connection) =>
      [attempt, rival, standby.attempt].find((one) => one?.connection === connection),
    noteReady,
    settleForUnproven() {
      if (attempt?.connection?.handshakeDone) noteReady(attempt);
    },
    noteFailed(failed, failure) {
      if (orphans.delete(failed)) return failed.dispose();
      if (failed === standby.attempt) return standby.noteFailed();
      // It opened, and has been silent since.
      if (failure.kind === 'timeout' && failed.connection?.openedAt !== undefined) heartbeat.noteUnanswered();
      // Nobody wants it any more: the heartbeat is off, or a listener closed the link.
      if (failed !== attempt && failed !== rival) return failed.dispose();
      counts.dialFailures += 1;
      endpoints.markFailed(failed.endpoint);
      const state = driver.state;
      endAttempt(failed, failure.kind);
      // A listener may have closed or reconnected.
      if (driver.state !== state) return;
      // The race goes on with one.
      attempt ??= rival;
      rival = undefined;
      if (!attempt) driver.dispatch({ type: 'failed', failure });
    },
    takeWinner() {
      const winner = attempt!;
      attempt = undefined;
      env.clearTimeout(raceTimer);
      winner.clearDeadline();
      return winner;
    },
    cancel() {
      if (attempt?.promoted && attempt.connection!.ping) {
        standby.demote(attempt);
        recorder.addAttempt(attempt, 'cancelled');
        attempt = undefined;
      }
      if (attempt) endAttempt(attempt, 'cancelled');
      if (rival) endAttempt(rival, 'cancelled');
    },
    endOrphans() {
      for (const orphan of orphans) orphan.dispose();
      orphans.clear();
    },
  };
}
