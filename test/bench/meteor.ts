/** What a failover costs an app on Meteor's own client, as it is and with the library installed, in the same run. */
import { ensureMeteorClient, findMeteorClient } from '../support/meteor-client/fixture.ts';
import { loadMeteor, type Transport } from '../support/meteor-client/page.ts';
import { benchmark } from './benchmark.ts';
import { settle, type Harness } from './harness.ts';
import { help, parseOptions, type MeteorClientName, type MeteorOptions } from './meteor/options.ts';
import type { OutageName } from './options.ts';
import type { Outcome } from './outcome.ts';
import { playRound } from './series.ts';
import { outcomeRow, rounded, type Row, type Section } from './tables.ts';

interface Kind {
  readonly client: MeteorClientName;
  readonly transport: Transport;
  readonly outcomes: Outcome[];
}

async function measure(harness: Harness, o: MeteorOptions): Promise<Section[]> {
  const missing = await ensureMeteorClient();
  if (missing !== undefined)
    throw new Error(`The benchmark needs a Meteor client, and there is none: ${missing}`);
  const { version } = (await findMeteorClient())!;
  const rows: Row[] = [];
  const ratios: Row[] = [];
  const raw: Record<string, readonly Outcome[]> = {};
  for (const fault of o.faults) {
    const kinds = await outagesOf(harness, o, fault);
    for (const { client, transport, outcomes } of kinds) {
      rows.push(outcomeRow(fault, `${client}, ${transport}`, outcomes));
      raw[`${fault} ${client} ${transport}`] = outcomes;
    }
    ratios.push(...ratioRows(fault, kinds, o.limitMs));
  }
  return [
    {
      title: `Time until a Meteor ${version} app is served`,
      notes: [
        `The policy is ${o.policy}. A round has ${o.pages} pages, or ${o.patientPages} of the app as it is. Rounds take turns. A page lives through one outage.`,
        `A page is stuck when it is not served within ${o.limitMs} ms. The quantiles beside it are those of the other pages.`,
        'Times are in ms from the fault. A page is served when a document of the surviving node is in the app. The overhead is that time, less the time until the fault is noticed, less the time with a WebSocket attempt under way.',
      ],
      rows,
      raw,
    },
    ...(ratios.length === 0
      ? []
      : [
          {
            title: 'As it is beside installed',
            notes: [
              `A page that was stuck counts as served after ${o.limitMs} ms, so the true ratio is then at least the one shown.`,
            ],
            rows: ratios,
          },
        ]),
  ];
}

async function outagesOf(harness: Harness, o: MeteorOptions, fault: OutageName): Promise<Kind[]> {
  const kinds: Kind[] = o.transports.flatMap((transport) =>
    o.clients.map((client) => ({ client, transport, outcomes: [] })),
  );
  // In turns: whatever the machine does meanwhile, it does to all of them.
  for (;;) {
    const waiting = kinds.filter(({ outcomes }) => outcomes.length < o.victims);
    if (waiting.length === 0) return kinds;
    for (const { client, transport, outcomes } of waiting) {
      const round = {
        pages: client === 'meteor' ? o.patientPages : o.pages,
        outages: 1,
        gapMs: 0,
        limitMs: o.limitMs,
        warm: false,
        open: () => openApp(harness, o, client, transport),
      };
      outcomes.push(...(await playRound(harness.cluster, fault, round)).outcomes);
      process.stderr.write(
        `Fault ${fault}, client ${client} over ${transport}: ${outcomes.length} of ${o.victims} victims are measured.\n`,
      );
    }
  }
}

const openApp = (harness: Harness, o: MeteorOptions, client: MeteorClientName, transport: Transport) =>
  harness.openWith(async (page) => {
    await loadMeteor(page, harness.cluster.url, {
      transport,
      install: client === 'installed' ? 'early' : 'never',
      options: { policy: o.policy },
      prelude: harness.prelude,
    });
    await page.evaluate(() => window.bench.start('meteor', {}));
    await settle(page);
  });

/** p95 of each transport as it is, over that with the library. */
function ratioRows(fault: string, kinds: readonly Kind[], limitMs: number): Row[] {
  const p95 = (client: MeteorClientName, transport: Transport): number | undefined => {
    const kind = kinds.find((k) => k.client === client && k.transport === transport);
    return (
      kind &&
      rounded(
        kind.outcomes.map(({ servedMs = limitMs }) => servedMs),
        0.95,
      )
    );
  };
  return [...new Set(kinds.map(({ transport }) => transport))].flatMap((transport) => {
    const [meteor, installed] = [p95('meteor', transport), p95('installed', transport)];
    if (meteor === undefined || installed === undefined) return [];
    const ratio = Number((meteor / installed).toFixed(1));
    return [{ fault, transport, 'p95 as it is': meteor, 'p95 installed': installed, ratio }];
  });
}

/** Runs the benchmark with these command line arguments. */
export const run = (args: readonly string[]): Promise<void> =>
  benchmark(help, () => parseOptions(args), measure);
