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
export const TONES = { good: 'open', bad: 'refused or failed', slow: 'gave up waiting', muted: 'cancelled' };

export function outcome(name) {
  const tone =
    name === 'open' ? 'good' : name === 'timeout' ? 'slow' : name === 'cancelled' ? 'muted' : 'bad';
  return { tone, label: OUTCOMES[name] ?? name };
}

const number = (value) => (Number.isFinite(value) ? value : 0);
const text = (value) => (typeof value === 'string' ? value.slice(0, 24) : '');
const list = (value) => (Array.isArray(value) ? value : []);

/** A report as some page has sent it, made safe to draw: the control room's server passes on what it is told. */
export const readReport = (report) => ({
  cause: text(report.cause),
  fromNode: text(report.fromNode),
  toNode: text(report.toNode),
  ...Object.fromEntries(
    ['startedAt', 'detectedAfterMs', 'upAfterMs', 'replayMs', 'replayed', 'queuedFlushed'].map((key) => [
      key,
      number(report[key]),
    ]),
  ),
  attempts: list(report.attempts).map((attempt) => ({
    outcome: text(attempt?.outcome),
    startedAt: number(attempt?.startedAt),
    waitedMs: number(attempt?.waitedMs),
    durationMs: number(attempt?.durationMs),
  })),
  probes: list(report.probes).map((probe) => ({
    verdict: text(probe?.verdict),
    status: Number.isFinite(probe?.status) ? probe.status : undefined,
    startedAt: number(probe?.startedAt),
    durationMs: number(probe?.durationMs),
  })),
});

/** Silence before it was noticed, search for a replacement, replay: what a person had to wait. */
export const totalMs = ({ detectedAfterMs, upAfterMs, replayMs }) => detectedAfterMs + upAfterMs + replayMs;

export const probeWords = {
  gateway: 'gateway answers, app does not',
  overloaded: 'come back later',
  unauthorized: 'unauthorized',
  'not-found': 'not found',
  healthy: 'healthy',
  unreachable: 'no answer',
  unknown: 'says nothing',
};

export const APP_STATES = {
  running: { label: 'Running', tone: 'good' },
  starting: { label: 'Starting…', tone: 'slow' },
  draining: { label: 'Draining', tone: 'slow' },
  hung: { label: 'Hung', tone: 'bad' },
  stopped: { label: 'Stopped', tone: 'bad' },
};

export const STATUSES = {
  online: { label: 'Online', tone: 'good' },
  suspect: { label: 'Checking', tone: 'slow' },
  connecting: { label: 'Connecting', tone: 'slow' },
  waiting: { label: 'Waiting', tone: 'slow' },
  offline: { label: 'Offline', tone: 'bad' },
  closed: { label: 'Closed', tone: 'muted' },
  failed: { label: 'Gave up', tone: 'bad' },
};

export const known = (table, name) => table[name] ?? { label: name, tone: 'muted' };
