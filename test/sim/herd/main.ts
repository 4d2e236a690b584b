/**
 * `npm run sim:herd`: simulates herds. Many clients lose their node at once and dial what is left. Prints a table for each
 * scenario.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { POLICIES } from '../../../src/core/api/reconnect-policy.ts';
import { markdown, type Row } from '../../bench/tables.ts';
import { parseCommandLine, oneOf, optional, text, whole } from '../../../tools/args.ts';
import { svg, type Line } from './chart.ts';
import type { NewCrowd } from './crowd.ts';
import { DEFAULTS, hintOf, stampede, type Outcome, type Scenario } from './herd.ts';
import { OTHERS } from './others.ts';
import { ours } from './ours.ts';
import { servedBy, servedOverTime, wastedShare } from './outlook.ts';

const SCENARIOS: Readonly<Record<string, Partial<Scenario>>> = {
  gateway: {},
  'gateway-3-2': { nodes: 3 },
  'gateway-10-9': { nodes: 10 },
  ejected: { ejectedAt: 0 },
  backlog: { backlog: 4_096 },
  'tossed-probes': { probes: 'tossed' },
  silent: { death: 'silent' },
  'silent-ejected': { death: 'silent', ejectedAt: 10_000 },
};

interface Entry {
  readonly name: string;
  readonly crowd: NewCrowd;
  readonly hint: boolean;
}

const entries: Entry[] = [
  ...[true, false].flatMap((hint) =>
    Object.entries(POLICIES).map(([name, policy]) => ({
      name: hint ? `${name}, spread hint` : name,
      crowd: ours(policy),
      hint,
    })),
  ),
  ...Object.entries(OTHERS).map(([name, crowd]) => ({ name, crowd, hint: false })),
];

const options = parseCommandLine(
  [
    'npm run sim:herd -- [options]',
    '',
    'Lets many clients lose their node at once, and prints how they come to be served.',
    `  --clients     How many lose their node. Default: ${DEFAULTS.clients}.`,
    `  --per-second  How many handshakes each survivor completes in a second. Default: ${DEFAULTS.perSecond}.`,
    `  --scenario    One of ${Object.keys(SCENARIOS).join(', ')}, all. It may be repeated. Default: gateway.`,
    `  --client      One of ${entries.map(({ name }) => `"${name}"`).join(', ')}. It may be repeated. Default: all of them.`,
    '  --seed        Another number is another herd. Default: 1.',
    '  --json        The file that gets every figure as JSON.',
    '  --svg         The directory that gets charts of served clients and of the survivors’ load.',
    '  --help        Prints this text.',
  ].join('\n'),
  {
    clients: text(String(DEFAULTS.clients)),
    'per-second': text(String(DEFAULTS.perSecond)),
    scenario: { type: 'string', multiple: true, default: ['gateway'] },
    client: { type: 'string', multiple: true, default: [] },
    seed: text(String(DEFAULTS.seed)),
    json: optional,
    svg: optional,
  },
  (values) => ({
    clients: whole('clients', values.clients, 1),
    perSecond: whole('per-second', values['per-second'], 1),
    scenarios: values.scenario.includes('all')
      ? Object.keys(SCENARIOS)
      : values.scenario.map((name) => oneOf('scenario', name, [...Object.keys(SCENARIOS), 'all'])),
    client: values.client.map((name) =>
      oneOf(
        'client',
        name,
        entries.map((entry) => entry.name),
      ),
    ),
    seed: whole('seed', values.seed, 0),
    json: values.json,
    svg: values.svg,
  }),
);

const seconds = (ms: number): string => (ms === Infinity ? 'never' : (ms / 1_000).toFixed(1));

/** Enough for what drains; what has not by then dials in vain: see the row's dials. */
const LIMITS = { ms: 4 * 3_600_000, dialsPerClient: 100 };

function row(name: string, outcome: Outcome, idealMs: number, cpuMs: number): Row {
  const clients = outcome.servedAt.length + outcome.unserved;
  const all = servedBy(outcome, 1);
  return {
    client: name,
    '50 % served, s': seconds(servedBy(outcome, 0.5)),
    '99 %, s': seconds(servedBy(outcome, 0.99)),
    'all, s': seconds(all),
    '× ideal': all === Infinity ? '–' : (all / idealMs).toFixed(2),
    'peak handshakes/s': Math.round(outcome.peak),
    'wasted handshakes': `${(100 * wastedShare(outcome)).toFixed(1)} %`,
    'dials per client': (outcome.dials / clients).toFixed(1),
    'longest queue, s': seconds(outcome.longestQueueMs),
    unserved: outcome.unserved,
    'run, s': seconds(cpuMs),
  };
}

/** What fits one chart: every preset of ours, and the others that differ. */
const CHARTED = [
  'balanced, spread hint',
  'balanced',
  'fast',
  'frugal',
  'immediate redial',
  'reconnecting-websocket',
];
const ALSO = ['socket.io-client', 'Meteor'];

function charts(
  name: string,
  scenario: Scenario,
  runs: ReadonlyMap<string, Outcome>,
  directory: string,
): void {
  const idealMs = (1_000 * scenario.clients) / (scenario.perSecond * (scenario.nodes - scenario.dead));
  const shown = [...CHARTED, ...ALSO].filter((client) => (runs.get(client)?.servedAt.length ?? 0) > 0);
  const untilMs = 4 * idealMs;
  const about = `${scenario.clients.toLocaleString('en')} clients, ${scenario.nodes} nodes, ${scenario.dead} dies (${name}); each survivor completes ${scenario.perSecond.toLocaleString('en')} handshakes/s`;
  const x = { label: 'seconds after the fault', max: untilMs / 1_000 };
  const lines = (of: (run: Outcome) => number[]): Line[] =>
    shown.map((client) => ({
      name: client,
      values: of(runs.get(client)!),
      dashed: !client.startsWith('balanced') && !(client in POLICIES),
    }));
  const capacity = scenario.perSecond * (scenario.nodes - scenario.dead);
  const load = (run: Outcome): number[] => {
    const { ms, rates } = run.offered.perSecond(1_000);
    return Array.from({ length: 161 }, (_, i) => rates[Math.floor(((i / 160) * untilMs) / ms)] ?? 0);
  };
  mkdirSync(directory, { recursive: true });
  writeFileSync(
    `${directory}/${name}-served.svg`,
    svg({
      title: 'Clients served',
      subtitle: about,
      x,
      y: { label: 'served', max: 1, show: (value) => `${Math.round(100 * value)} %` },
      lines: lines((run) => servedOverTime(run, untilMs, 160)),
    }),
  );
  writeFileSync(
    `${directory}/${name}-load.svg`,
    svg({
      title: 'Handshakes that come to the survivors',
      subtitle: about,
      x,
      y: {
        label: 'handshakes per second (cut off at 3 × capacity)',
        max: 3 * capacity,
        show: (value) => value.toLocaleString('en'),
      },
      lines: lines(load),
      level: { at: capacity, name: 'capacity' },
    }),
  );
}

const results = [];
for (const name of options.scenarios) {
  const scenario: Scenario = {
    ...DEFAULTS,
    clients: options.clients,
    perSecond: options.perSecond,
    seed: options.seed,
    limits: LIMITS,
    ...SCENARIOS[name],
  };
  const idealMs = (1_000 * scenario.clients) / (scenario.perSecond * (scenario.nodes - scenario.dead));
  const runs = new Map<string, Outcome>();
  const rows = entries
    .filter((entry) => options.client.length === 0 || options.client.includes(entry.name))
    .map((entry) => {
      const start = performance.now();
      const outcome = stampede({ ...scenario, hint: entry.hint }, entry.crowd);
      runs.set(entry.name, outcome);
      return row(entry.name, outcome, idealMs, performance.now() - start);
    });
  console.log(`## ${name}: ${scenario.clients} clients lose ${scenario.dead} of ${scenario.nodes} nodes\n`);
  console.log(
    `Ideal: ${seconds(idealMs)} s; spread hint ${seconds(hintOf(scenario))} s; seed ${scenario.seed}\n`,
  );
  console.log(`${markdown(rows)}\n`);
  results.push({ name, scenario: { ...scenario, backlog: String(scenario.backlog) }, idealMs, rows });
  if (options.svg) charts(name, scenario, runs, options.svg);
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
