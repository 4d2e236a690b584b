import type { FailoverError } from './errors.ts';
import type { Failure, FailureKind } from './failure.ts';
import type { AttemptReport, FailoverReport, ProbeReport } from './report.ts';

/**
 * What a person may be told about a link. Branch on `name`. The object stays the same until something in it changes.
 * `since` and `until` are Unix time in milliseconds.
 */
export type Status =
  /**
   * A dial is under way. `first`: the link was never up before. `attempt`: number of this dial in the outage, from 1.
   * `since`: when the outage was noticed.
   */
  | { readonly name: 'connecting'; readonly first: boolean; readonly attempt: number; readonly since: number }
  /**
   * The link is up. `since`: when this connection came into use. `node`: its name, if `identify` or the server gave one.
   * `standby`: node of the warm standby, if there is one.
   */
  | {
      readonly name: 'online';
      readonly since: number;
      readonly node: string | undefined;
      readonly standby: string | undefined;
    }
  /**
   * The connection has not answered in time. It stays open, and a replacement is dialled beside it. `since`: when the
   * suspicion began. `attempt`: dials sent so far, from 0.
   */
  | { readonly name: 'suspect'; readonly since: number; readonly attempt: number }
  /**
   * The link is down and waits for the next dial. `since`: when the outage was noticed. `until`: when the dial goes out.
   * `attempt`: its number, from 1. `cause`: how the last dial or connection ended.
   */
  | {
      readonly name: 'waiting';
      readonly since: number;
      readonly until: number;
      readonly attempt: number;
      readonly cause: FailureKind;
    }
  /** The browser says that there is no network, or the page was left. Nothing is dialled until either is back. */
  | { readonly name: 'offline'; readonly since: number }
  /** The app called `close()`. `code` and `reason` are its arguments. */
  | { readonly name: 'closed'; readonly code: number; readonly reason: string }
  /** The link has ended and does not dial again. `error.kind` is `unauthorized` or `exhausted`. */
  | { readonly name: 'failed'; readonly error: FailoverError };

/** What a `warning` event is about. A warning ends nothing. */
export type WarningKind =
  /** The heartbeat was never answered and is switched off: a hang is now invisible. */
  | 'heartbeat-unanswered'
  /** Six connections for a standby failed or led to the node in use. Tries go on, ever more rarely. */
  | 'standby'
  /** `close()` discarded frames that waited in the queue. `detail`: how many. */
  | 'queue-discarded'
  /** A callback of the app threw: `identify`, `isReply`, a registry entry, a provider. `detail`: what it threw. */
  | 'callback';

/**
 * Events of the library, beside the DOM events `open`, `message`, `error` and `close`. A listener that throws harms no
 * other; its exception is reported as uncaught.
 *
 * @example
 * ws.on('status', (status) => badge.update(status.name));
 * ws.on('failover', (report) => console.log(`moved to ${report.toNode} in ${report.downMs} ms`));
 */
export interface FailoverEvents {
  /** The status changed. */
  status: [status: Status];
  /** The link has no usable connection any more. */
  down: [why: Failure];
  /** The link has a usable connection again, or for the first time (`first`). `node`: its name, if known by now. */
  up: [info: { readonly first: boolean; readonly node: string | undefined }];
  /**
   * The connection did not answer in time and a replacement is dialled; nothing is lost yet. `silentMs`: milliseconds
   * since its last frame.
   */
  suspect: [info: { readonly silentMs: number }];
  /** A dial ended, whatever its outcome. */
  attempt: [attempt: AttemptReport];
  /** An HTTP probe beside failing dials has its answer. */
  probe: [report: ProbeReport];
  /** A failover is complete: the replacement is up and everything is replayed. */
  failover: [report: FailoverReport];
  /**
   * The server announced that it goes away. A replacement is dialled while the old connection still serves. `spreadMs`:
   * milliseconds over which the server asks its clients to spread.
   */
  drain: [info: { readonly spreadMs: number }];
  /** Something needs a developer's attention. `message` is a sentence for people. */
  warning: [warning: { readonly kind: WarningKind; readonly message: string; readonly detail?: unknown }];
  /** Frames did not fit into the queue. `messages` and `bytes`: how many were refused or dropped, and their size. */
  overflow: [info: { readonly messages: number; readonly bytes: number }];
  /** The link has ended and does not dial again; `close` follows. */
  giveup: [error: FailoverError];
}

/** Counters since the link was made, and the round trip as it is now. */
export interface Stats {
  /** Dials begun, those beside the main one and for a standby included. */
  readonly dials: number;
  /** Dials that failed; cancelled dials and those for a standby do not count. */
  readonly dialFailures: number;
  /** Connections that came into use. */
  readonly opens: number;
  /** Failovers completed, one for each `failover` event. */
  readonly failovers: number;
  /** How often the connection in use did not answer in time. */
  readonly suspicions: number;
  /** Suspicions that were wrong: the old connection answered after all. */
  readonly hedgesCancelled: number;
  /** Frames of the app handed to a socket; heartbeats do not count. */
  readonly framesSent: number;
  /** Frames received on any connection, heartbeat replies included. */
  readonly framesReceived: number;
  /** Heartbeats sent. */
  readonly pingsSent: number;
  /** Smoothed round trip (RFC 6298) in milliseconds; undefined before the first heartbeat reply. */
  readonly rttMs: number | undefined;
  /** Variation of the round trip (RFC 6298) in milliseconds; undefined before the first heartbeat reply. */
  readonly rttVarMs: number | undefined;
  /** Frames waiting in the queue. */
  readonly queuedMessages: number;
  /** Bytes waiting in the queue. */
  readonly queuedBytes: number;
}
