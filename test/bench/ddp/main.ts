/** Measures what a failover and a stream of changes cost a DDP client under Node, beside simpleddp, in one run. */
import { fork, type ChildProcess } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { flag, isUsage, text, usageLine, whole } from '../../../tools/args.ts';
import { ensureDist } from '../../../tools/dist.ts';

const help = `npm run bench -- ddp [options]

Measures what a failover and a stream of changes cost DDPClient under Node, beside simpleddp. The figures are medians of the runs.

  --docs      How many documents the client holds, one or several numbers. Default: 1000,10000,50000,100000.
  --subs      How many subscriptions it has. Default: 200.
  --messages  How many \`changed\` messages a run of the second part has. Default: 500000.
  --runs      How often each case runs. Default: 3.
  --help      Prints this text.

A failover: a server process changes every twentieth document and cuts all connections. Measured are the time until all
subscriptions are ready again, the events raised, and the heap at its peak and after a full collection. simpleddp waits 1 ms before
it dials.
Changes: a scripted socket sends \`changed\` messages, one observer listens, on one core. JSON.parse is part of the time.`;

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
    child.once('exit', (code) => reject(new Error(`A process of the benchmark ended with code ${code}.`)));
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

function parseOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      docs: text('1000,10000,50000,100000'),
      subs: text('200'),
      messages: text('500000'),
      runs: text('3'),
      help: flag,
    },
  });
  return {
    docs: values.docs.split(',').map((docs) => whole('docs', docs, 1)),
    subs: whole('subs', values.subs, 1),
    messages: whole('messages', values.messages, 1),
    runs: whole('runs', values.runs, 1),
    help: values.help,
  };
}
type Options = ReturnType<typeof parseOptions>;

const round = (value: number) => (value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
const row = (cells: (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);

async function printFailovers(o: Options): Promise<void> {
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
  for (const docs of o.docs) {
    for (const client of clients) {
      const { ms, events, expected, heapBefore, heapPeak, heapAfter } = (await medians(o.runs, () =>
        failover(client, docs, o.subs),
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
}

async function printChanges(o: Options): Promise<void> {
  row(['client', 'documents', '`changed` messages a second', 'events', 'messages']);
  row(Array<string>(5).fill('---'));
  for (const docs of [100, 1_000, 10_000]) {
    const rates: number[] = [];
    for (const client of clients) {
      // Its search for a document is linear.
      const messages = client === 'ours' ? o.messages : Math.min(o.messages, 2e8 / docs / 10);
      const child = () => start('client.ts', ['changed', client, docs, messages], ['--expose-gc']);
      const { perSecond, events, expected } = (await medians(o.runs, () => output(child()))) as Record<
        'perSecond' | 'events' | 'expected',
        number
      >;
      rates.push(perSecond);
      row([client, docs, perSecond, events, expected]);
    }
    row(['ratio', docs, round(rates[0]! / rates[1]!), '', '']);
  }
}

/** Runs the benchmark with these command line arguments. */
export async function run(args: readonly string[]): Promise<void> {
  let o: Options;
  try {
    o = parseOptions(args);
  } catch (error) {
    if (!isUsage(error)) throw error;
    console.error(usageLine(error));
    process.exitCode = 2;
    return;
  }
  if (o.help) return console.log(help);
  await ensureDist();
  console.log(
    `Measured with Node ${process.version} on ${cpus().length} cores. The figures are medians of ${o.runs} runs.\n`,
  );
  await printFailovers(o);
  console.log();
  await printChanges(o);
}
