import { makeFrame, type Frame } from '../api/frame.ts';
import { failure } from '../api/failure.ts';
import type { Stats } from '../api/events.ts';
import type { ResolvedOptions } from '../api/options.ts';
import { assess, observeRtt, overdueAfter, quietMs, type Rtt } from '../rules/liveness.ts';
import type { Connection } from './connection.ts';
import type { Driver } from './driver.ts';
import type { Serving } from './serving.ts';
import type { Warnings } from './warnings.ts';

/** A timer that fires later than planned by this much tells of a blocked page or a sleeping device, not of the peer, ms. */
const LATE_MS = 100;

/** Overdue pings after which the heartbeat is switched off, if none was ever answered. */
const UNANSWERED_LIMIT = 2;

export interface HeartbeatMonitor {
  stats(): Pick<Stats, 'pingsSent' | 'rttMs' | 'rttVarMs'>;
  /** Round trip, as its own pings measured it. */
  readonly rtt: Rtt | undefined;
  /** Is there a ping to prove a connection with? */
  readonly isActive: boolean;
  /** Pings, unless a ping is out already. @param overdueMs when the answer is overdue. @default an RTT-based time */
  ping(connection: Connection, overdueMs?: number): void;
  /** Takes note of a frame of ours. */
  noteSent(connection: Connection): void;
  /** Takes note of a frame that came in. Returns true if `isReply` recognises it: then the app does not see it. */
  noteInbound(connection: Connection, data: unknown): boolean;
  /** Takes note of a connection that opened and never answered. */
  noteUnanswered(): void;
  /** Looks at the connection in use and comes back when there is something to do: one timer, not one per frame. */
  reassess(): void;
  stop(): void;
  /** Takes note that the page is used; true if it had been idle. */
  noteUserActivity(): boolean;
}

/** Watches the connection in use: pings after silence, measures round trips, says when nobody answers. */
export function createHeartbeatMonitor(
  { heartbeat: configured, env, policy }: Pick<ResolvedOptions, 'heartbeat' | 'env' | 'policy'>,
  driver: Driver,
  serving: Serving,
  warnings: Warnings,
): HeartbeatMonitor {
  let heartbeat = configured;
  let rtt: Rtt | undefined;
  let pingsSent = 0;
  let wasAnswered = false;
  let unansweredCount = 0;
  let userActiveAt = env.now();
  /** When a timer last fired late. */
  let awakeAt = 0;
  let timer: unknown;

  const active = () => (heartbeat && heartbeat.expectEveryMs === undefined ? heartbeat : undefined);
  const watched = () => (serving.isClosing ? undefined : serving.current);
  const overdueMsNow = () => overdueAfter(rtt, policy.replyFloorMs, policy.replyCapMs);
  const stop = () => env.clearTimeout(timer);

  const ping = (connection: Connection, overdueMs = overdueMsNow()): void => {
    const message = active()?.message;
    if (message === undefined || connection.ping) return;
    const frame: Frame | undefined =
      typeof message === 'function' ? warnings.guard('heartbeat.message', () => makeFrame(message)) : message;
    if (frame === undefined) return;
    const sentAt = env.now();
    pingsSent += 1;
    connection.ping = { overdueAt: sentAt + overdueMs };
    // Others that are still out are answered first: their answers must not be taken for this one's.
    connection.pendingPings.push({ at: sentAt, sent: connection.sent });
    connection.socket.send(frame);
  };

  /** @param hasSpoken other frames came in: the server lives and does not answer pings, even if its protocol obliges it to */
  const noteUnanswered = (hasSpoken = false): void => {
    if (wasAnswered || !heartbeat || (active()?.required && !hasSpoken)) return;
    if (++unansweredCount < UNANSWERED_LIMIT) return;
    heartbeat = false;
    const connection = watched();
    if (connection) connection.ping = undefined;
    warnings.warn(
      'heartbeat-unanswered',
      'The server never answered a heartbeat, so the heartbeat is switched off and a hang goes unnoticed. Check `heartbeat.message` and `heartbeat.isReply`, or set `heartbeat: false`.',
    );
    // A connection that was suspected because of this heartbeat is suspect no longer.
    driver.dispatch({ type: 'alive' });
  };

  const reassess = (): void => {
    stop();
    const connection = watched();
    if (!connection) return;
    const now = env.now();
    const quiet = quietMs(policy, { visible: env.page.visible(), untouchedMs: now - userActiveAt });
    const { ping: pending, lastInboundAt, expectingSince } = connection;
    const life = {
      ping: pending,
      // Passive heartbeat: after a late timer the full time runs again, because frames may wait in the event queue.
      lastInboundAt: active() ? lastInboundAt : Math.max(lastInboundAt, awakeAt),
      expectingSince,
    };
    const verdict = assess(life, heartbeat, quiet, overdueMsNow(), now);
    switch (verdict.do) {
      case 'nothing':
        return;
      case 'wait':
        timer = env.setTimeout(() => afterWait(connection, verdict.until), verdict.until - now);
        return;
      case 'ping':
        ping(connection);
        // Nothing went out if the app's message threw: the next look gives it another chance.
        if (connection.ping) reassess();
        else if (watched()) timer = env.setTimeout(reassess, quiet);
        return;
      case 'suspect':
        noteUnanswered(!!connection.firstInboundAt);
        if (!heartbeat) return;
        driver.dispatch({
          type: 'silent',
          failure: failure('silent'),
          silentMs: now - connection.lastInboundAt,
        });
    }
  };

  const afterWait = (connection: Connection, until: number): void => {
    // Messages may be waiting behind a page that was blocked: ask again instead of judging.
    if (env.now() - until > LATE_MS) {
      awakeAt = env.now();
      connection.ping = undefined;
    }
    reassess();
  };

  return {
    stats: () => ({ pingsSent, rttMs: rtt?.smoothed, rttVarMs: rtt?.variance }),
    get rtt() {
      return rtt;
    },
    get isActive() {
      return active() !== undefined;
    },
    ping,
    reassess,
    stop,
    noteUnanswered: () => noteUnanswered(),
    noteSent(connection) {
      if (!active() || connection.expectingSince !== undefined) return;
      connection.expectingSince = env.now();
      // While a ping is out its timer decides. A look now could suspect the connection between two sends.
      if (!connection.ping) reassess();
    },
    noteInbound(connection, data) {
      const isReplyTo = active()?.isReply;
      // One that throws has not recognised anything.
      const isReply = isReplyTo && (warnings.guard('heartbeat.isReply', () => isReplyTo(data)) ?? false);
      const { ping: pending } = connection;
      if (!active()) wasAnswered = true;
      // Only the answer to a ping is a measure of the round trip, and proves that what was sent before it has arrived.
      const answered = isReply !== false && connection.pendingPings.shift();
      if (answered) {
        wasAnswered = true;
        rtt = observeRtt(rtt, connection.lastInboundAt - answered.at);
        connection.confirmed = answered.sent;
      }
      // Any frame is life and takes the ping off the clock.
      connection.ping = connection.expectingSince = undefined;
      if (pending && connection === watched()) reassess();
      return isReply === true;
    },
    noteUserActivity() {
      const wasIdle = env.now() - userActiveAt >= policy.idleAfterMs;
      userActiveAt = env.now();
      return wasIdle;
    },
  };
}
