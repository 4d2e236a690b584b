import type { Heartbeat } from '../api/options.ts';
import type { ReconnectPolicy } from '../api/reconnect-policy.ts';

/** Round-trip estimate of RFC 6298, in ms. */
export interface Rtt {
  readonly smoothed: number;
  readonly variance: number;
}

/** Adds one sample to the estimate (RFC 6298, section 2: α = 1/8, β = 1/4). */
export const observeRtt = (rtt: Rtt | undefined, sampleMs: number): Rtt =>
  rtt
    ? {
        smoothed: rtt.smoothed + (sampleMs - rtt.smoothed) / 8,
        variance: rtt.variance + (Math.abs(rtt.smoothed - sampleMs) - rtt.variance) / 4,
      }
    : { smoothed: sampleMs, variance: sampleMs / 2 };

/** Time after which an answer is overdue, ms: srtt + 4·rttvar between floor and cap, or the cap while nothing is known. */
export const overdueAfter = (rtt: Rtt | undefined, floorMs: number, capMs: number): number =>
  rtt ? Math.min(Math.max(rtt.smoothed + 4 * rtt.variance, floorMs), capMs) : capMs;

/** What is known of one connection's life. Instants are on the env's clock. */
export interface Liveness {
  /** Last inbound frame of any kind, or the opening. */
  lastInboundAt: number;
  /** The ping that is out, if nothing was heard since. */
  ping?: { readonly overdueAt: number } | undefined;
  /** When the first frame was sent since the server was last heard. */
  expectingSince?: number | undefined;
}

export type LivenessVerdict =
  | { readonly do: 'wait'; readonly until: number }
  | { readonly do: 'ping' }
  /** Nobody answers. */
  | { readonly do: 'suspect' }
  /** There is no heartbeat, so there is nothing to watch for. */
  | { readonly do: 'nothing' };

/**
 * What to do about a connection now.
 * @param quietMs silence after which to ping, ms: the policy's for a page in this condition
 * @param answerMs the same after a frame of ours, ms: most are answered, and a person waits for it
 */
export function assess(
  life: Liveness,
  heartbeat: Heartbeat | false,
  quietMs: number,
  answerMs: number,
  now: number,
): LivenessVerdict {
  if (life.ping)
    return now >= life.ping.overdueAt ? { do: 'suspect' } : { do: 'wait', until: life.ping.overdueAt };
  if (!heartbeat) return { do: 'nothing' };
  if (heartbeat.expectEveryMs) {
    // Half as long again: the server's own timer and the network may each be late.
    const until = life.lastInboundAt + heartbeat.expectEveryMs * 1.5;
    return now >= until ? { do: 'suspect' } : { do: 'wait', until };
  }
  const until = Math.min(life.lastInboundAt + quietMs, (life.expectingSince ?? Infinity) + answerMs);
  return now >= until ? { do: 'ping' } : { do: 'wait', until };
}

/** Silence after which to ping, given how the page is used. */
export const quietMs = (policy: ReconnectPolicy, page: { visible: boolean; untouchedMs: number }): number =>
  page.visible && page.untouchedMs < policy.idleAfterMs ? policy.quietMs : policy.idleQuietMs;
