import type { FailoverError } from './errors.ts';
import type { Failure, FailureKind } from './failure.ts';
import type { AttemptReport, FailoverReport, ProbeReport } from './report.ts';

/** What a person may be told about a link. The object stays the same until something in it changes. Instants are Unix time (ms). */
export type Status =
  /** Dialling. `first`: the link was never up. `attempt` counts from 1. */
  | { readonly name: 'connecting'; readonly first: boolean; readonly attempt: number; readonly since: number }
  | {
      readonly name: 'online';
      readonly since: number;
      readonly node: string | undefined;
      /** The node that the warm standby leads to. */
      readonly standby: string | undefined;
    }
  /** No answer since `since`; still in use, a replacement is being dialled. */
  | { readonly name: 'suspect'; readonly since: number; readonly attempt: number }
  /** Between two dials; the next one goes out at `until`. */
  | {
      readonly name: 'waiting';
      readonly since: number;
      readonly until: number;
      readonly attempt: number;
      readonly cause: FailureKind;
    }
  /** The browser says there is no network: nothing is dialled until it comes back. */
  | { readonly name: 'offline'; readonly since: number }
  /** `close()` was called, or the page ended it. */
  | { readonly name: 'closed'; readonly code: number; readonly reason: string }
  /** It will not dial again: a provider ended it, or the policy's attempts are used up. */
  | { readonly name: 'failed'; readonly error: FailoverError };

export type WarningKind =
  /** A heartbeat that was never answered was switched off: a hang is now invisible. */
  | 'heartbeat-unanswered'
  /** No connection to another node could be had for a standby; it is tried on, ever more rarely. */
  | 'standby'
  /** Frames waiting in the queue were discarded by `close()`. */
  | 'queue-discarded'
  /** A callback of the app's (identify, isReply, registry entry, provider) threw. */
  | 'callback';

/** Events of the SDK, beside the DOM ones. */
export interface FailoverEvents {
  status: [status: Status];
  /** The link has no usable connection any more. */
  down: [why: Failure];
  /** It has one again (or for the first time). */
  up: [info: { readonly first: boolean; readonly node: string | undefined }];
  /** No answer within the RTT-based time; a replacement is being dialled, nothing is lost yet. */
  suspect: [info: { readonly silentMs: number }];
  /** A dial ended. */
  attempt: [attempt: AttemptReport];
  /** What an HTTP probe beside failing dials found. */
  probe: [report: ProbeReport];
  /** A replacement is up and everything is replayed. */
  failover: [report: FailoverReport];
  /** The server announced that it goes away; a replacement is being dialled while it still serves. */
  drain: [info: { readonly spreadMs: number }];
  warning: [warning: { readonly kind: WarningKind; readonly message: string; readonly detail?: unknown }];
  /** Frames did not fit into the queue. */
  overflow: [info: { readonly messages: number; readonly bytes: number }];
  /** It will not dial again. */
  giveup: [error: FailoverError];
}

/** Counters since the link was made, and what the round trip is like now. */
export interface Stats {
  readonly dials: number;
  readonly dialFailures: number;
  readonly opens: number;
  readonly failovers: number;
  readonly suspicions: number;
  /** Replacement dials that were not needed because the old connection answered after all. */
  readonly hedgesCancelled: number;
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly pingsSent: number;
  /** Smoothed round trip (RFC 6298), ms; undefined before the first heartbeat reply. */
  readonly rttMs: number | undefined;
  readonly rttVarMs: number | undefined;
  readonly queuedMessages: number;
  readonly queuedBytes: number;
}
