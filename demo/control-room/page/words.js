/** The words for states, causes and outcomes, and the tone (colour) of each. */
import { ms } from './format.js';

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

export const causeText = (cause) => CAUSES[cause] ?? cause;

const OUTCOMES = { ...CAUSES, open: 'connected', cancelled: 'not needed any more', timeout: 'timed out' };

/** The tone of an attempt, and its name in the legend. */
export const TONES = {
  good: 'connected',
  standby: 'standby promoted',
  bad: 'refused or failed',
  slow: 'timed out',
  muted: 'cancelled',
};

export function outcome(name, standby) {
  if (standby && name === 'open') return { tone: 'standby', label: 'warm standby promoted' };
  const tone =
    name === 'open' ? 'good' : name === 'timeout' ? 'slow' : name === 'cancelled' ? 'muted' : 'bad';
  return { tone, label: OUTCOMES[name] ?? name };
}

/** What shortened a failover: its tag, and a sentence for the tooltip. */
export const HELPERS = {
  handover: ['without a gap', 'The old connection served until the replacement had replayed everything.'],
  standby: ['standby promoted', 'A second connection was open already, so no dial was needed.'],
  hedge: [
    'hedged',
    'The page dialled a replacement and kept the silent connection until the replacement answered.',
  ],
};

/** What a probe found: verdict and status, advice, and how long the server asks clients to stay away. */
export function probeText({ status, verdict, advice, retryAfterMs }) {
  const after = retryAfterMs === undefined ? '' : ` (retry after ${ms(retryAfterMs)})`;
  return `${verdict}${status === undefined ? '' : ` ${status}`}${advice === '' ? '' : `: ${advice}`}${after}`;
}

export const APP_STATES = {
  running: { label: 'Running', tone: 'good' },
  starting: { label: 'Starting…', tone: 'slow' },
  draining: { label: 'Draining', tone: 'slow' },
  hung: { label: 'Hung', tone: 'bad' },
  stopped: { label: 'Stopped', tone: 'bad' },
};

const PAGE_STATES = {
  online: { label: 'Online', tone: 'good' },
  suspect: { label: 'Suspect', tone: 'slow' },
  connecting: { label: 'Connecting', tone: 'slow' },
  waiting: { label: 'Waiting', tone: 'slow' },
  offline: { label: 'Offline', tone: 'bad' },
  closed: { label: 'Closed', tone: 'muted' },
  failed: { label: 'Gave up', tone: 'bad' },
};

/** The state of a page. A page that is online on a draining node is moving. */
export const pageState = ({ status, leaving }) =>
  leaving ? { label: 'Moving', tone: 'slow' } : known(PAGE_STATES, status);

/** An entry of a table; a name that the table does not know is shown as it is. */
export const known = (table, name) => table[name] ?? { label: name, tone: 'muted' };
