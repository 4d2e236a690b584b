/** Names, words and figures: everything the page says about a state or a report. */

/** A duration as a person reads it: 182 ms, 6.56 s, 12.3 s. */
export const ms = (value) =>
  value < 2_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(value < 9_995 ? 2 : 1)} s`;

export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** The first part of a random id tells pages apart well enough. */
export const shortId = (id) => id.slice(0, 4);

export const CAUSES = {
  refused: 'refused',
  timeout: 'no handshake in time',
  handshake: 'handshake failed',
  provider: 'address provider failed',
  lost: 'connection lost',
  closed: 'closed by the server',
  drain: 'drained',
  overloaded: 'overloaded',
  unauthorized: 'unauthorized',
  silent: 'stopped answering',
  suspended: 'page was asleep',
  manual: 'asked for',
};

const OUTCOMES = { ...CAUSES, open: 'open', cancelled: 'not needed any more', timeout: 'gave up waiting' };

/** Colour of an attempt, and what it means. */
export const TONES = {
  good: 'open',
  standby: 'standby promoted',
  bad: 'refused or failed',
  slow: 'gave up waiting',
  muted: 'cancelled',
};

export function outcome(name, standby) {
  if (standby && name === 'open') return { tone: 'standby', label: 'warm standby promoted' };
  const tone =
    name === 'open' ? 'good' : name === 'timeout' ? 'slow' : name === 'cancelled' ? 'muted' : 'bad';
  return { tone, label: OUTCOMES[name] ?? name };
}

const number = (value) => (Number.isFinite(value) ? value : 0);
const text = (value, length = 24) => (typeof value === 'string' ? value.slice(0, length) : '');
const list = (value) => (Array.isArray(value) ? value : []);

/** A report as some page has sent it, made safe to draw: the control room's server passes on what it is told. */
export const readReport = (report) => ({
  cause: text(report.cause),
  fromNode: text(report.fromNode),
  toNode: text(report.toNode),
  ...Object.fromEntries(
    [
      'startedAt',
      'detectedAfterMs',
      'upAfterMs',
      'replayMs',
      'replayed',
      'queuedFlushed',
      'unconfirmedSends',
    ].map((key) => [key, number(report[key])]),
  ),
  // Missing: that page does not say how long it had no connection.
  gapMs: Number.isFinite(report.gapMs) ? report.gapMs : undefined,
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
    status: Number.isFinite(probe?.status) ? probe.status : undefined,
    retryAfterMs: Number.isFinite(probe?.retryAfterMs) ? probe.retryAfterMs : undefined,
    startedAt: number(probe?.startedAt),
    durationMs: number(probe?.durationMs),
  })),
});

/** Silence before it was noticed, search for a replacement, replay: what a person had to wait. */
export const totalMs = ({ detectedAfterMs, upAfterMs, replayMs }) => detectedAfterMs + upAfterMs + replayMs;

/** Left for a replacement while it still worked: nobody had to wait. A link that fell silent did not work. */
export const seamless = ({ cause, gapMs }) => (cause === 'drain' || cause === 'manual') && gapMs === 0;

/** What made it shorter, if anything. A standby may have failed as well: it is the last attempt that counts. */
export function helper(report) {
  if (seamless(report)) return 'handover';
  if (report.attempts.at(-1)?.standby) return 'standby';
  // The old connection was kept until the replacement had answered.
  return report.cause === 'silent' && report.gapMs === 0 ? 'hedge' : undefined;
}

/** What a probe found: verdict, status, what to look at, how long it asks to stay away. */
export function probeText({ status, verdict, advice, retryAfterMs }) {
  const after = retryAfterMs === undefined ? '' : ` (after ${ms(retryAfterMs)})`;
  return `${verdict}${status === undefined ? '' : ` ${status}`}${advice === '' ? '' : `: ${advice}`}${after}`;
}

export const APP_STATES = {
  running: { label: 'Running', tone: 'good' },
  starting: { label: 'Starting…', tone: 'slow' },
  draining: { label: 'Leaving', tone: 'slow' },
  hung: { label: 'Hung', tone: 'bad' },
  stopped: { label: 'Stopped', tone: 'bad' },
};

export const STATUSES = {
  online: { label: 'Online', tone: 'good' },
  suspect: { label: 'Suspect', tone: 'slow' },
  connecting: { label: 'Connecting', tone: 'slow' },
  waiting: { label: 'Waiting', tone: 'slow' },
  offline: { label: 'Offline', tone: 'bad' },
  closed: { label: 'Closed', tone: 'muted' },
  failed: { label: 'Gave up', tone: 'bad' },
};

/** Online, on a node that has announced its end. */
export const MOVING = { label: 'Moving', tone: 'slow' };

export const known = (table, name) => table[name] ?? { label: name, tone: 'muted' };
