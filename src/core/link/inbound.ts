import type { ResolvedOptions } from '../api/options.ts';
import { parseNotice } from '../rules/notices.ts';
import type { Connection } from './connection.ts';
import type { Driver } from './driver.ts';
import type { HeartbeatMonitor } from './heartbeat.ts';
import type { Race } from './race.ts';
import type { LinkCounts } from './recorder.ts';
import type { Serving } from './serving.ts';
import type { Standby } from './standby.ts';
import type { Warnings } from './warnings.ts';

/**
 * Most frames a standby may buffer: do not keep a standby to a server that streams constantly. The buffer of a replacement that
 * awaits its proof is bounded by its deadline.
 */
const MAX_BUFFERED = 100;

export interface InboundParts {
  readonly driver: Driver;
  readonly warnings: Warnings;
  readonly heartbeat: HeartbeatMonitor;
  readonly serving: Serving;
  readonly standby: Standby;
  readonly race: Race;
  readonly counts: LinkCounts;
}

export interface InboundHooks {
  /** A frame for the app, from the connection in use. */
  frame(event: MessageEvent): void;
  /** The connection in use has told which node it leads to. */
  changed(): void;
}

/** What a frame means before the app sees it. */
export interface Inbound {
  /** The only way in: called by every connection for every frame. */
  receive(connection: Connection, event: MessageEvent): void;
  /** Step 6 alone, for frames that waited for a handshake or for their connection to be in use. */
  deliver(connection: Connection, event: MessageEvent): void;
}

export function createInbound(
  { env, identify, serverNotices }: Pick<ResolvedOptions, 'env' | 'identify' | 'serverNotices'>,
  { driver, warnings, heartbeat, serving, standby, race, counts }: InboundParts,
  hooks: InboundHooks,
): Inbound {
  const readNotices = (connection: Connection, data: unknown): void => {
    connection.node ??= warnings.guard('identify', () => identify?.(data));
    const notice = serverNotices ? parseNotice(data) : undefined;
    if (notice?.msg === 'node') {
      connection.node = notice.id;
      connection.spreadMs = notice.spreadMs;
    } else if (notice) connection.drainNotice = notice;
  };

  const proveOrRevive = (connection: Connection, nodeBefore: string | undefined): void => {
    if (connection !== serving.current) {
      // The first frame proves a replacement: it is in use before that frame is delivered.
      const attempt = race.attemptOf(connection);
      if (attempt && connection.handshakeDone) race.noteReady(attempt);
      if (connection !== serving.current) return;
    }
    const { state } = driver;
    if (state.name === 'suspect') driver.dispatch({ type: 'alive' });
    else if (state.name === 'online' && state.outage) driver.dispatch({ type: 'proven' });
    driver.followDrainNotice(connection);
    if (connection.node === nodeBefore) return;
    standby.reconsider();
    hooks.changed();
  };

  const deliver = (connection: Connection, event: MessageEvent): void => {
    if (connection === serving.current) {
      // As in WebSocket, nothing is delivered after `close()`.
      if (!serving.isClosing) hooks.frame(event);
    } else if (serving.isLeaving(connection)) serving.frameFromLeaving(event.data);
    else if (connection.buffered.push(event) > MAX_BUFFERED && connection === standby.attempt?.connection)
      standby.noteFailed();
  };

  return {
    receive(connection, event) {
      const { data } = event as { data: unknown };
      const nodeBefore = connection.node;
      // 1. Any frame is life.
      counts.framesReceived += 1;
      connection.lastInboundAt = env.now();
      connection.firstInboundAt ??= connection.lastInboundAt;
      // 2. Which node is this, and does it go away?
      readNotices(connection, data);
      // 3. Is it the reply to a ping of ours? Then it is none of the app's.
      const isReply = heartbeat.noteInbound(connection, data);
      // 4. A replacement is proven, or a suspect is revived.
      proveOrRevive(connection, nodeBefore);
      // The app's code ran in step 4 and may have ended this connection.
      if (isReply || connection.isOver) return;
      // 5. A handshake under way takes what it waits for.
      if (connection.takeForHandshake(event)) return;
      // 6. To the app, to the layer, or kept.
      deliver(connection, event);
    },
    deliver,
  };
}
