import type { Connection } from './connection.ts';
import type { Stats } from '../api/events.ts';
import { judge, observeRtt, overdueAfter, quietMs, type Rtt } from '../rules/liveness.ts';
import type { ResolvedOptions } from '../api/options.ts';
import type { Frame } from '../api/frame.ts';

/** A timer that fires so much later than planned tells of a blocked page or a sleeping device, not of the peer. */
const LATE_MS = 100;

/** A heartbeat that two connections never answered, and none ever did, is taken for a server without one. */
const UNANSWERED_LIMIT = 2;

export interface HeartHooks {
  /** The connection to watch. */
  current(): Connection | undefined;
  silent(silentMs: number): void;
  /** The heartbeat was switched off: whoever was suspected because of it is not. */
  off(): void;
  /** Calls the app's code; what it throws becomes a warning and undefined. */
  guard<T>(callback: string, call: () => T): T | undefined;
}

export interface Heart {
  stats(): Pick<Stats, 'pingsSent' | 'rttMs' | 'rttVarMs'>;
  /** Round trip, as its own pings measured it. */
  readonly rtt: Rtt | undefined;
  /** Is there a ping to prove a connection with? */
  readonly active: boolean;
  /** Pings, unless a ping is out already. Without `overdueMs` the answer is due in an RTT-based time. */
  ping(connection: Connection, overdueMs?: number): void;
  /** Takes note of a frame of ours. */
  sent(connection: Connection): void;
  /** Takes note of a frame; true if it only answers our ping. */
  heard(connection: Connection, data: unknown): boolean;
  /** A connection opened and never answered. */
  unanswered(): void;
  /** Looks at the current connection and comes back when there is something to do: one timer, not one per frame. */
  beat(): void;
  stop(): void;
  /** The page was used: true if it had been idle. */
  touched(): boolean;
}

/** Watches the current connection: pings after silence, measures round trips, says when nobody answers. */
export function createHeart(
  { heartbeat: configured, env, policy }: ResolvedOptions,
  hooks: HeartHooks,
): Heart {
  let heartbeat = configured;
  let rtt: Rtt | undefined;
  let pingsSent = 0;
  let answered = false;
  let unanswered = 0;
  let touchedAt = env.now();
  /** When a timer last fired late. */
  let awakeAt = 0;
  let timer: unknown;

  const active = () => (heartbeat && heartbeat.expectEveryMs === undefined ? heartbeat : undefined);

  const overdue = () => overdueAfter(rtt, policy.replyFloorMs, policy.replyCapMs);

  const ping = (connection: Connection, overdueMs = overdue()) => {
    const message = active()?.message;
    if (message === undefined || connection.ping) return;
    const frame: Frame | undefined =
      typeof message === 'function' ? hooks.guard('heartbeat.message', message) : message;
    if (frame === undefined) return;
    const sentAt = env.now();
    pingsSent += 1;
    connection.ping = { overdueAt: sentAt + overdueMs };
    // Others that are still out are answered first: their answers must not be taken for this one's.
    connection.asked.push({ at: sentAt, sent: connection.sent });
    connection.socket.send(frame);
  };

  /** @param heard something else came in: it lives, and does not answer pings, even if its protocol obliges it to */
  const noAnswer = (heard?: unknown) => {
    if (answered || !heartbeat || (active()?.required && !heard) || ++unanswered < UNANSWERED_LIMIT) return;
    heartbeat = false;
    const current = hooks.current();
    if (current) current.ping = undefined;
    hooks.off();
  };

  const stop = () => env.clearTimeout(timer);

  const beat = () => {
    stop();
    const current = hooks.current();
    if (!current) return;
    const now = env.now();
    const quiet = quietMs(policy, { visible: env.page.visible(), untouchedMs: now - touchedAt });
    const { ping: asked, heardAt, expectingSince } = current;
    // Who only listens gives a server whose words may wait behind the sleep the same time once more.
    const life = { ping: asked, heardAt: active() ? heardAt : Math.max(heardAt, awakeAt), expectingSince };
    const verdict = judge(life, heartbeat, quiet, overdue(), now);
    switch (verdict.do) {
      case 'nothing':
        return;
      case 'wait':
        timer = env.setTimeout(() => {
          // Messages may be waiting behind a page that was blocked: ask again instead of judging.
          if (env.now() - verdict.until > LATE_MS) {
            awakeAt = env.now();
            current.ping = undefined;
          }
          beat();
        }, verdict.until - now);
        return;
      case 'ping':
        ping(current);
        // Nothing went out if the app's message threw: the next look gives it another chance.
        if (current.ping) beat();
        else if (hooks.current()) timer = env.setTimeout(beat, quiet);
        return;
      case 'suspect':
        noAnswer(current.firstHeardAt);
        if (heartbeat) hooks.silent(now - current.heardAt);
    }
  };

  return {
    stats: () => ({ pingsSent, rttMs: rtt?.smoothed, rttVarMs: rtt?.variance }),
    get rtt() {
      return rtt;
    },
    get active() {
      return active() !== undefined;
    },
    ping,
    beat,
    stop,
    unanswered: () => noAnswer(),
    sent(connection) {
      if (!active() || connection.expectingSince !== undefined) return;
      connection.expectingSince = env.now();
      // A ping that is out has its own end, which must not come in the midst of a flight.
      if (!connection.ping) beat();
    },
    heard(connection, data) {
      const isReply = active()?.isReply;
      // One that throws has not recognised anything.
      const own = isReply && (hooks.guard('heartbeat.isReply', () => isReply(data)) ?? false);
      const { ping: pending } = connection;
      if (!active()) answered = true;
      // Only the answer to a ping is a measure of the round trip, and proves that what was sent before it has arrived.
      const asked = own !== false && connection.asked.shift();
      if (asked) {
        answered = true;
        rtt = observeRtt(rtt, connection.heardAt - asked.at);
        connection.confirmed = asked.sent;
      }
      // Any frame is life and takes the ping off the clock.
      connection.ping = connection.expectingSince = undefined;
      if (pending && connection === hooks.current()) beat();
      return own === true;
    },
    touched() {
      const idle = env.now() - touchedAt >= policy.idleAfterMs;
      touchedAt = env.now();
      return idle;
    },
  };
}
