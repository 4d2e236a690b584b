/** What each benchmark that runs in a page can be asked for. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { BrowserName } from '../support/browser/browsers.ts';
import { flag, number, oneOf, optional, text, UsageError } from '../../tools/args.ts';

export const clientNames = ['ours', 'plain', 'other-ours', 'other-plain', 'rws', 'bare', 'bare-ddp'] as const;
export const outageNames = ['stop', 'kill', 'hang', 'blackhole'] as const;
export const turnoverNames = ['drain', 'rolling'] as const;
const tabFaultNames = [...outageNames, 'hang-both'] as const;
export const policyNames = ['fast', 'balanced', 'frugal'] as const;

export type ClientName = (typeof clientNames)[number];
export type OutageName = (typeof outageNames)[number];
export type TurnoverName = (typeof turnoverNames)[number];
export type TabFaultName = (typeof tabFaultNames)[number];
export type FaultName = OutageName | TurnoverName | TabFaultName;

type FlagSpec = NonNullable<ParseArgsConfig['options']>[string];

/** Every option of every benchmark, with its default and its lines of help. */
const flags = {
  fault: { ...optional, about: '' },
  client: {
    ...text('ours'),
    about: `One or several of ours,plain,other-ours,other-plain,rws,bare,bare-ddp. They take turns, so that all see the same machine.
ours: the todo app's DDPClient (default). plain: FailoverWebSocket. rws: reconnecting-websocket with its defaults.
other-ours, other-plain: the same two with the build that --other names.
bare: a new WebSocket at once. bare-ddp: the same, and it connects and subscribes in one flight.`,
  },
  other: {
    ...optional,
    about:
      'The failover-websocket.global.js of another build, to compare two builds in one run (see --client).',
  },
  victims: {
    ...text('60'),
    about: 'How many pages must lose their node, for each client and fault. Default: 60.',
  },
  outages: {
    ...text('1'),
    about: `How many faults the pages of a round live through, one after the other. Default: 1.
After each fault the node is restarted. The node that serves most of the settled pages is next.`,
  },
  gap: {
    ...text('4000'),
    about: `The least time in ms between the beginnings of two faults. Default: 4000.
Four dials of each fault then fit the 60 dials a minute of the policy "fast". Engines remember failures for minutes, too.`,
  },
  standby: {
    ...flag,
    about: `Gives ours and plain a warm standby. The fault waits until the standby is ready.`,
  },
  limit: {
    ...text('45000'),
    about: 'A page that is not served after this many ms counts as stuck. Default: 45000.',
  },
  tabs: { ...text('8'), about: 'How many tabs share the profile. Default: 8.' },
  hold: { ...text('15000'), about: 'How many ms both nodes hang with --fault hang-both. Default: 15000.' },
  'stall-scope': {
    ...text('socket'),
    about: `What stalls: "socket" is the one that pinged, "path" is every socket of the page. Default: socket.`,
  },
  seed: { ...text('1'), about: 'The seed of the stalls. Default: 1.' },
  failures: {
    ...text('300'),
    about: 'How many handshakes fail on every page before a node is restarted. Default: 300.',
  },
  minutes: { ...optional, about: '' },
  browser: {
    ...text('chromium'),
    about: `chromium or firefox. Default: chromium.
Each page has a context of its own. In Firefox it has a browser of its own, because Firefox queues handshakes browser-wide.`,
  },
  pages: {
    ...text('3'),
    about: 'How many pages a round has. Default: 3. On two cores, more pages measure the machine.',
  },
  rtt: { ...text('40'), about: 'The round trip between pages and nodes in ms. Default: 40.' },
  policy: {
    ...text('fast'),
    about: 'The policy of ours and plain: fast, balanced or frugal. Default: fast.',
  },
  health: {
    ...text('gateway'),
    about:
      'What the balancer’s health check asks: gateway or app. Default: gateway, which leaves a dead app in.',
  },
  json: { ...optional, about: 'The file that gets every figure as JSON.' },
  help: { ...flag, about: 'Prints this text.' },
} satisfies Record<string, FlagSpec & { readonly about: string }>;
type Flag = keyof typeof flags;

const common: readonly Flag[] = ['browser', 'pages', 'rtt', 'policy', 'health', 'json', 'help'];

interface PageBench {
  /** One sentence: what it measures. */
  readonly about: string;
  /** Which figures it gives, where that needs a sentence more. */
  readonly figures?: string;
  readonly flags: readonly Flag[];
  /** Help that differs from one benchmark to another. */
  readonly own?: Partial<Record<Flag, string>>;
  readonly faults: readonly FaultName[];
}

export const pageBenches = {
  failover: {
    about:
      'Measures the time until pages are served by the surviving node after their own node gets a fault.',
    flags: ['fault', 'client', 'other', 'victims', 'outages', 'gap', 'standby', 'limit'],
    own: { fault: 'One or several of stop,kill,hang,blackhole. Default: stop.' },
    faults: outageNames,
  },
  drain: {
    about: 'Measures what pages go through while nodes are drained and restarted one by one.',
    figures: `The figures are the longest time without a proven open socket, down events, documents against the server's, and calls that
are lost, doubled or failed.`,
    flags: ['fault', 'client', 'outages', 'gap', 'standby'],
    own: {
      fault: `One or both of drain,rolling. Default: drain.
drain: the node that serves most pages. rolling: both nodes, one after the other.`,
      outages: 'How many times it happens. Default: 1.',
    },
    faults: turnoverNames,
  },
  tabs: {
    about:
      'Measures when the last of several tabs of one browser profile is served, after the node of all of them fails.',
    figures: `Further figures are false deadlines, handshakes abandoned while something hung, and whether a WebSocket still opens at the
end.`,
    flags: ['fault', 'client', 'tabs', 'hold', 'standby', 'limit'],
    own: { fault: 'One or several of stop,kill,hang,blackhole,hang-both. Default: stop.' },
    faults: tabFaultNames,
  },
  stalls: {
    about: 'Counts false alarms: nothing fails, but the network stalls for 0.3 to 1 s on 30 % of the pings.',
    flags: ['minutes', 'stall-scope', 'seed', 'standby'],
    own: { minutes: 'How long it lasts. Default: 10.' },
    faults: [],
  },
  idle: {
    about:
      'Measures what a page at rest costs: bytes, pings and CPU time of each preset, in use, idle and hidden.',
    figures: 'CPU time is measured in Chromium only.',
    flags: ['minutes'],
    own: { minutes: 'How long each case lasts. Default: 1. The figures are scaled to an hour.' },
    faults: [],
  },
  outage: {
    about:
      'Counts dials while both nodes are stopped, and measures how soon pages find the node that is restarted.',
    flags: ['failures', 'limit'],
    faults: [],
  },
  pacing: {
    about: 'Counts dials where dialling does not help.',
    figures: `The cases are a standby with one node left, and a server that never answers the heartbeat, with and without
\`hedge: false\`.`,
    flags: ['minutes'],
    own: { minutes: 'How long each case lasts. Default: 2.' },
    faults: [],
  },
} satisfies Record<string, PageBench>;
export type PageBenchName = keyof typeof pageBenches;

/** The help of one benchmark. */
export function helpOf(name: PageBenchName): string {
  const bench: PageBench = pageBenches[name];
  const lines = [...bench.flags, ...common].flatMap((key) =>
    (bench.own?.[key] ?? flags[key].about)
      .split('\n')
      .map((line, i) => `  ${(i === 0 ? `--${key}` : '').padEnd(15)}${line}`),
  );
  return `npm run bench -- ${name} [options]\n\n${[bench.about, bench.figures].filter(Boolean).join('\n')}\n\n${lines.join('\n')}`;
}

/** @throws UsageError, or what parseArgs throws for an unknown option */
export function parseOptions(name: PageBenchName, args: readonly string[]) {
  const bench: PageBench = pageBenches[name];
  const known = [...bench.flags, ...common];
  // An option of another benchmark is a mistake here. Its default is taken all the same, since all measurements read one set of options.
  const { values: given } = parseArgs({
    args: [...args],
    options: Object.fromEntries(known.map((key) => [key, { type: flags[key].type }])),
  });
  const { values: defaults } = parseArgs({ args: [], options: flags });
  const values = { ...defaults, ...(given as Partial<typeof defaults>) };
  const faults = values.fault?.split(',') ?? bench.faults.slice(0, 1);
  const clients = values.client.split(',').map((client) => oneOf('client', client, clientNames));
  if (clients.some((client) => client.startsWith('other-')) && values.other === undefined)
    throw new UsageError('--other must name the failover-websocket.global.js of the other build.');
  return {
    browser: oneOf<BrowserName>('browser', values.browser, ['chromium', 'firefox']),
    clients,
    other: values.other,
    faults: faults.map((fault) => oneOf('fault', fault, bench.faults)),
    victims: number('victims', values.victims, 1),
    outages: number('outages', values.outages, 1),
    gapMs: number('gap', values.gap, 0),
    standby: values.standby,
    limitMs: number('limit', values.limit, 1),
    tabs: number('tabs', values.tabs, 2),
    holdMs: number('hold', values.hold, 0),
    stallScope: oneOf('stall-scope', values['stall-scope'], ['socket', 'path']),
    seed: number('seed', values.seed, 0),
    failures: number('failures', values.failures, 1),
    minutes: values.minutes === undefined ? undefined : number('minutes', values.minutes, 0.01),
    pages: number('pages', values.pages, 1),
    rttMs: number('rtt', values.rtt, 0),
    policy: oneOf('policy', values.policy, policyNames),
    health: oneOf('health', values.health, ['gateway', 'app']),
    json: values.json,
    help: values.help,
  };
}
export type Options = ReturnType<typeof parseOptions>;

export const isOutage = (fault: FaultName): fault is OutageName =>
  (outageNames as readonly FaultName[]).includes(fault);
export const isTurnover = (fault: FaultName): fault is TurnoverName =>
  (turnoverNames as readonly FaultName[]).includes(fault);
export const isTabFault = (fault: FaultName): fault is TabFaultName =>
  (tabFaultNames as readonly FaultName[]).includes(fault);
