/** `npm run bench:ddp`: what a failover and a stream of changes cost a DDP client under Node, beside simpleddp, in one run. */
import { fork, type ChildProcess } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    docs: { type: 'string', default: '1000,10000,50000,100000' },
    subs: { type: 'string', default: '200' },
    messages: { type: 'string', default: '500000' },
    runs: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(`npm run bench:ddp -- [--docs 1000,10000,50000,100000] [--subs 200] [--messages 500000] [--runs 3]

A failover: a server process cuts all connections after it has changed every twentieth document; measured is the time until all
subscriptions are ready again (simpleddp's wait before it dials is 1 ms), events raised, and the heap after a full collection and at its peak.
Changes: \`changed\` messages from a scripted socket, JSON.parse included, one observer listening, on one core. Medians of the runs.`);
  process.exit();
}

type Figures = Record<string, number>;
const clients = ['ours', 'simpleddp'] as const;
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const start = (name: string, args: unknown[], more: string[] = []): ChildProcess =>
  fork(path(name), args.map(String), {
    execArgv: ['--import', 'tsx', ...more],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
const message = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
  });

async function output(child: ChildProcess): Promise<Figures> {
  let text = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) text += chunk.toString();
  return JSON.parse(text) as Figures;
}

async function failover(client: string, docs: number, subs: number): Promise<Figures> {
  const server = start('server.ts', [docs, subs]);
  try {
    const { port } = (await message(server)) as { port: number };
    const child = start('client.ts', ['failover', client, port, docs, subs], ['--expose-gc']);
    const figures = output(child);
    await message(child);
    child.send('cut');
    server.send('fail');
    return await figures;
  } finally {
    server.disconnect();
  }
}

/** The middle run of each figure. */
async function medians(runs: number, measure: () => Promise<Figures>): Promise<Figures> {
  const all: Figures[] = [];
  for (let i = 0; i < runs; i++) all.push(await measure());
  const middle = (key: string) => all.map((one) => one[key]!).sort((a, b) => a - b)[Math.floor(runs / 2)]!;
  return Object.fromEntries(Object.keys(all[0]!).map((key) => [key, middle(key)]));
}

const runs = Number(values.runs);
const subs = Number(values.subs);
const round = (value: number) => (value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
const row = (cells: (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);

console.log(`Node ${process.version}, ${cpus().length} cores, medians of ${runs} runs\n`);
row([
  'client',
  'documents',
  'until all ready again, ms',
  'µs a document',
  'events',
  'changes',
  'heap before, MB',
  'peak',
  'after',
]);
row(Array<string>(9).fill('---'));
for (const docs of values.docs.split(',').map(Number)) {
  for (const client of clients) {
    const { ms, events, expected, heapBefore, heapPeak, heapAfter } = (await medians(runs, () =>
      failover(client, docs, subs),
    )) as Record<'ms' | 'events' | 'expected' | 'heapBefore' | 'heapPeak' | 'heapAfter', number>;
    row([
      client,
      docs,
      round(ms),
      round((ms * 1_000) / docs),
      events,
      expected,
      ...[heapBefore, heapPeak, heapAfter].map(round),
    ]);
  }
}
console.log();
row(['client', 'documents', '`changed` messages a second', 'events', 'messages']);
row(Array<string>(5).fill('---'));
for (const docs of [100, 1_000, 10_000]) {
  const rates: number[] = [];
  for (const client of clients) {
    // Its search for a document is linear.
    const messages =
      client === 'ours' ? Number(values.messages) : Math.min(Number(values.messages), 2e8 / docs / 10);
    const child = () => start('client.ts', ['changed', client, docs, messages], ['--expose-gc']);
    const { perSecond, events, expected } = (await medians(runs, () => output(child()))) as Record<
      'perSecond' | 'events' | 'expected',
      number
    >;
    rates.push(perSecond);
    row([client, docs, perSecond, events, expected]);
  }
  row(['ratio', docs, round(rates[0]! / rates[1]!), '', '']);
}
