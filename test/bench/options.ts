/** What `npm run bench` can be asked for. */
import { parseArgs } from 'node:util';
import type { BrowserName } from '../support/browser/browsers.ts';
import { number, oneOf, UsageError } from '../../tools/args.ts';

export const help = `npm run bench -- [options]

Time until served (the default): pages on one node, that node gets a fault.
  --fault stop,kill,hang,blackhole   one or several, default stop. drain, rolling: see below
  --client ours,plain,bare,…         one or several, default ours; rounds of several clients take turns, so that all see the same machine
                                     ours: the todo app's DDPClient       plain: FailoverWebSocket
                                     bare: a new WebSocket at once        bare-ddp: the same, connecting and subscribing in one flight
                                     rws: reconnecting-websocket with its defaults
  --victims N                        per client and fault, default 60
  --outages K                        the pages of a round live through K outages one after the other, default 1; after each the node is
                                     restarted, and when the pages are settled again, the node that serves most of them is next
  --gap MS                           at least so long between the beginnings of two outages (or drains), default 4000: four dials of each
                                     stay inside the 60 a minute of the policy fast. Engines remember failures too, for minutes
  --standby                          ours and plain with standby 'warm'; the fault waits until the standby is
  --limit MS                         not served by then counts as stuck, default 45000

Without a gap: what a page goes through while nodes are drained and restarted, one by one.
  --fault drain                      the node that serves most pages, K times
  --fault rolling                    both nodes, one after the other, K times
                                     Measured: the longest time without a proven open socket, down events, documents against the
                                     server's, and calls (ours: two or three every 100 ms a page) lost, doubled, failed

Tabs of one browser profile, all on the failing node.
  --tabs N                           with --fault stop, kill, hang, blackhole or hang-both (then for --hold ms, default 15000)
                                     Measured: the last tab served, false deadlines, handshakes abandoned while something hung, and
                                     whether a WebSocket still opens at the end

False alarms: nothing fails, but the network stalls.
  --stalls                           for --minutes M, default 10: 0.3 to 1 s on 30 % of the pings
  --stall-scope socket|path          only the socket that pinged stalls, or every one of the page; default socket
  --seed N                           of the stalls, default 1

What a page at rest costs: bytes, pings and (Chromium) CPU of each preset, in use, idle and hidden.
  --idle                             for --minutes M, default 1, scaled to an hour

Pace where nothing helps.
  --failures N                       both nodes stopped until every page has seen N failed handshakes, then one is restarted
  --pacing                           for --minutes M each, default 2: standby with one node left; a server that never answers the
                                     heartbeat; the same with hedge: false

All
  --browser chromium|firefox         default chromium. A context of its own per page (Firefox: a browser of its own, since it queues
                                     handshakes browser-wide)
  --pages N                          per round, default 3: on two cores more pages measure the machine
  --rtt MS                           default 40
  --policy fast|balanced|frugal      of ours and plain, default fast
  --health gateway|app               what the balancer's health check asks, default gateway: a dead app stays in
  --json FILE                        everything, for later questions`;

export const clientNames = ['ours', 'plain', 'rws', 'bare', 'bare-ddp'] as const;
export const outageNames = ['stop', 'kill', 'hang', 'blackhole'] as const;
const turnoverNames = ['drain', 'rolling'] as const;
const faultNames = [...outageNames, ...turnoverNames, 'hang-both'] as const;
const modeFlags = ['tabs', 'stalls', 'idle', 'failures', 'pacing'] as const;

export type ClientName = (typeof clientNames)[number];
export type OutageName = (typeof outageNames)[number];
export type TurnoverName = (typeof turnoverNames)[number];
export type FaultName = (typeof faultNames)[number];
export type Mode = 'outages' | (typeof modeFlags)[number];

/** @throws UsageError, or what parseArgs throws for an unknown flag */
export function parseOptions(args: readonly string[]) {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      browser: text('chromium'),
      client: text('ours'),
      fault: text('stop'),
      victims: text('60'),
      outages: text('1'),
      gap: text('4000'),
      standby: flag,
      limit: text('45000'),
      tabs: { type: 'string' },
      hold: text('15000'),
      stalls: flag,
      'stall-scope': text('socket'),
      seed: text('1'),
      idle: flag,
      failures: { type: 'string' },
      pacing: flag,
      minutes: { type: 'string' },
      pages: text('3'),
      rtt: text('40'),
      policy: text('fast'),
      health: text('gateway'),
      json: { type: 'string' },
      help: flag,
    },
  });
  const modes = modeFlags.filter((name) => values[name] !== undefined && values[name] !== false);
  if (modes.length > 1) throw new UsageError(`--${modes.join(' and --')}: one at a time`);
  const mode: Mode = modes[0] ?? 'outages';
  const faults = values.fault.split(',').map((name) => oneOf('fault', name, faultNames));
  const unfit = (mode === 'tabs' ? turnoverNames : ['hang-both']) as readonly FaultName[];
  const wrong = faults.find((fault) => unfit.includes(fault));
  if (wrong !== undefined)
    throw new UsageError(`--fault ${wrong}: ${mode === 'tabs' ? 'not with' : 'only with'} --tabs`);
  return {
    mode,
    browser: oneOf<BrowserName>('browser', values.browser, ['chromium', 'firefox']),
    clients: values.client.split(',').map((name) => oneOf('client', name, clientNames)),
    faults,
    victims: number('victims', values.victims, 1),
    outages: number('outages', values.outages, 1),
    gapMs: number('gap', values.gap, 0),
    standby: values.standby,
    limitMs: number('limit', values.limit, 1),
    tabs: number('tabs', values.tabs ?? '8', 2),
    holdMs: number('hold', values.hold, 0),
    stallScope: oneOf('stall-scope', values['stall-scope'], ['socket', 'path']),
    seed: number('seed', values.seed, 0),
    failures: number('failures', values.failures ?? '300', 1),
    minutes: values.minutes === undefined ? undefined : number('minutes', values.minutes, 0.01),
    pages: number('pages', values.pages, 1),
    rttMs: number('rtt', values.rtt, 0),
    policy: oneOf('policy', values.policy, ['fast', 'balanced', 'frugal']),
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
