/** Failover reports: read from what a page has sent, and what they mean for a person. */

const number = (value) => (Number.isFinite(value) ? value : 0);
const numberOrMissing = (value) => (Number.isFinite(value) ? value : undefined);
const text = (value, length = 24) => (typeof value === 'string' ? value.slice(0, length) : '');
const list = (value) => (Array.isArray(value) ? value : []);

/** A report that is safe to draw. The control room's server passes on whatever a page has sent. */
export const readReport = (report) => ({
  cause: text(report.cause),
  fromNode: text(report.fromNode),
  toNode: text(report.toNode),
  startedAt: number(report.startedAt),
  detectedAfterMs: number(report.detectedAfterMs),
  upAfterMs: number(report.upAfterMs),
  replayMs: number(report.replayMs),
  replayed: number(report.replayed),
  queuedFlushed: number(report.queuedFlushed),
  unconfirmedSends: number(report.unconfirmedSends),
  // Missing when the page does not say how long it had no connection.
  gapMs: numberOrMissing(report.gapMs),
  attempts: list(report.attempts).map((attempt) => ({
    outcome: text(attempt?.outcome),
    startedAt: number(attempt?.startedAt),
    waitedMs: number(attempt?.waitedMs),
    durationMs: number(attempt?.durationMs),
    standby: attempt?.standby === true,
  })),
  probes: list(report.probes).map((probe) => ({
    verdict: text(probe?.verdict),
    advice: text(probe?.advice, 100),
    status: numberOrMissing(probe?.status),
    retryAfterMs: numberOrMissing(probe?.retryAfterMs),
    startedAt: number(probe?.startedAt),
    durationMs: number(probe?.durationMs),
  })),
});

/** From the last sign of life to a replacement that is connected. */
export const upMs = ({ detectedAfterMs, upAfterMs }) => detectedAfterMs + upAfterMs;

/** From the last sign of life to everything replayed: how long a person had to wait. */
export const totalMs = (report) => upMs(report) + report.replayMs;

/** True when the page left a link that still worked, so that nobody had to wait. A silent link did not work. */
export const isSeamless = ({ cause, gapMs }) => (cause === 'drain' || cause === 'manual') && gapMs === 0;

/** True when a silent link was kept until its replacement had answered. */
export const isKept = ({ cause, gapMs }) => cause === 'silent' && gapMs === 0;

/** What shortened the failover, if anything. A standby may fail too, so the last attempt counts. */
export function helper(report) {
  if (isSeamless(report)) return 'handover';
  if (report.attempts.at(-1)?.standby) return 'standby';
  return isKept(report) ? 'hedge' : undefined;
}
