/** `npm run demo`: reads the command line, starts the cluster and prints its addresses. */
import { parseArgs } from 'node:util';
import { ClusterError, startCluster, type Cluster, type ClusterOptions } from './cluster.ts';

const usage = 'usage: npm run demo -- [--port N] [--rtt MS] [--health gateway|app] [--smoke] [--help]';

const help = `${usage}

Starts two app nodes behind a balancer, a todo app, and a control room to break the nodes. All of it runs on this machine.

  --port N              port of the todo app; the control room takes the next one (default 4400)
  --rtt MS              round-trip time added between clients and nodes, 0 to 2000 ms (default 0)
  --health gateway|app  what the balancer's health check asks (default gateway)
                        "gateway" keeps a node in service while its app is dead, "app" takes it out
  --smoke               makes one failover in headless Chromium, prints it as JSON and exits
  --help                prints this text

Set REDIS_URL=redis://HOST:PORT to keep the todos in Redis.`;

class UsageError extends Error {}

/** Reads "--rtt -5" as "--rtt=-5": parseArgs would call it ambiguous, and its range is the clearer complaint. */
const joinNegativeValues = (args: string[]): string[] =>
  args.flatMap((arg, i) => {
    const isNegative = (text = '') => /^-\d/.test(text);
    if (isNegative(arg) && args[i - 1]?.startsWith('--')) return [];
    return isNegative(args[i + 1]) && arg.startsWith('--') ? [`${arg}=${args[i + 1]}`] : [arg];
  });

function parseCommandLine(args: string[]): { options: ClusterOptions; smoke: boolean; help: boolean } {
  let values;
  try {
    ({ values } = parseArgs({
      args: joinNegativeValues(args),
      options: {
        port: { type: 'string' },
        rtt: { type: 'string' },
        health: { type: 'string' },
        smoke: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message.split('\n')[0]);
  }
  const { port, rtt, health = 'gateway', smoke, help } = values;
  if (health !== 'gateway' && health !== 'app')
    throw new UsageError(`--health must be gateway or app, not "${health}"`);
  const redisUrl = process.env['REDIS_URL'];
  return {
    smoke,
    help,
    options: {
      port: smoke ? 0 : readNumber('--port', port, 4400, 1, 65_534, /^\d+$/),
      rttMs: readNumber('--rtt', rtt, 0, 0, 2000, /^\d+(\.\d+)?$/),
      health,
      ...(redisUrl && { redisUrl }),
    },
  };
}

function readNumber(
  flag: string,
  text: string | undefined,
  fallback: number,
  min: number,
  max: number,
  form: RegExp,
): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (form.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${flag} must be a number from ${min} to ${max}, not "${text}"`);
}

/** Resolves at the first Ctrl-C or SIGTERM. */
const interrupted = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
});

async function main(): Promise<number> {
  const { options, smoke, help: asked } = parseCommandLine(process.argv.slice(2));
  if (asked) {
    console.log(help);
    return 0;
  }
  const starting = startCluster(options);
  const cluster = await Promise.race([starting, interrupted]);
  if (!cluster) {
    await (await starting).stop();
    return 0;
  }
  try {
    if (smoke) return await runSmoke(cluster);
    const port = Number(new URL(cluster.url).port);
    console.log(`Todo app      http://localhost:${port}/`);
    console.log(`Control room  http://localhost:${port + 1}/`);
    console.log('Open both, stop the node that serves the todo app, and watch. Ctrl-C ends the demo.');
    await interrupted;
    return 0;
  } finally {
    await cluster.stop();
  }
}

async function runSmoke(cluster: Cluster): Promise<number> {
  const { smoke } = await import('./smoke.ts');
  return Promise.race([smoke(cluster), interrupted.then(() => 1)]);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}; ${usage}`);
    process.exitCode = 2;
  } else if (error instanceof ClusterError) {
    const hint = 'The todo app needs one port and the control room the next. Choose another with --port N.';
    console.error(error.kind === 'port' ? `${error.message} ${hint}` : error.message);
    process.exitCode = 1;
  } else {
    console.error(error);
    process.exitCode = 1;
  }
}
