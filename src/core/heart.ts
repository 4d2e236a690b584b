import type { Connection } from './connection.ts';
import { judge, observeRtt, overdueAfter, quietMs, type Rtt } from './liveness.ts';
import type { Frame, ResolvedOptions } from './options.ts';

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
  /** A callback of the app's threw. */
  threw(callback: string, error: unknown): void;
}

export interface Heart {
  readonly rtt: Rtt | undefined;
  readonly pings: number;
  /** Is there a ping to prove a connection with? */
  readonly active: boolean;
  /** Pings, unless a ping is out already. Without `overdueMs` the answer is due in an RTT-based time. */
  ping(connection: Connection, overdueMs?: number): void;
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
  let pings = 0;
  let answered = false;
  let unanswered = 0;
  let touchedAt = env.now();
  let timer: unknown;

  const active = () => (heartbeat && 'message' in heartbeat ? heartbeat : undefined);

  const ping = (
    connection: Connection,
    overdueMs = overdueAfter(rtt, policy.replyFloorMs, policy.replyCapMs),
  ) => {
    const message = active()?.message;
    if (message === undefined || connection.ping) return;
    let frame: Frame;
    try {
      frame = typeof message === 'function' ? message() : message;
    } catch (error) {
      hooks.threw('heartbeat.message', error);
      return;
    }
    const sentAt = env.now();
    pings += 1;
    connection.ping = { sentAt, overdueAt: sentAt + overdueMs, sent: connection.sent };
    connection.socket.send(frame);
  };

  const isReply = (data: unknown): boolean | undefined => {
    try {
      return active()?.isReply?.(data);
    } catch (error) {
      hooks.threw('heartbeat.isReply', error);
      return false;
    }
  };

  const noAnswer = () => {
    if (answered || !heartbeat || ++unanswered < UNANSWERED_LIMIT) return;
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
    const verdict = judge(current, heartbeat, quiet, now);
    switch (verdict.do) {
      case 'wait':
        timer = env.setTimeout(() => {
          // Messages may be waiting behind a page that was blocked: ask again instead of judging.
          if (env.now() - verdict.until > LATE_MS) current.ping = undefined;
          beat();
        }, verdict.until - now);
        return;
      case 'ping':
        ping(current);
        // Nothing went out if the app's message threw; then there is nothing to wait for.
        if (current.ping) beat();
        return;
      case 'suspect':
        noAnswer();
        if (heartbeat) hooks.silent(now - current.heardAt);
    }
  };

  return {
    get rtt() {
      return rtt;
    },
    get pings() {
      return pings;
    },
    get active() {
      return active() !== undefined;
    },
    ping,
    beat,
    stop,
    unanswered: noAnswer,
    heard(connection, data) {
      const own = isReply(data);
      const { ping: asked } = connection;
      if (asked || !active()) answered = true;
      if (asked) {
        // Any frame is life and takes the ping off the clock; only the answer to it is a measure of the round trip, and
        // proves that what was sent before it has arrived.
        if (own !== false) {
          rtt = observeRtt(rtt, connection.heardAt - asked.sentAt);
          connection.confirmed = asked.sent!;
        }
        connection.ping = undefined;
        if (connection === hooks.current()) beat();
      }
      return own === true;
    },
    touched() {
      const idle = env.now() - touchedAt >= policy.idleAfterMs;
      touchedAt = env.now();
      return idle;
    },
  };
}
