/** `npm run demo`: starts the cluster and says where it is. */
import { parseArgs } from 'node:util';
import { ClusterError, startCluster, type Cluster, type ClusterOptions } from './cluster.ts';

const usage = 'usage: npm run demo -- [--port N] [--rtt MS] [--health gateway|app] [--smoke]';

class UsageError extends Error {}

function parse(args: string[]): { options: ClusterOptions; smoke: boolean } {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        port: { type: 'string' },
        rtt: { type: 'string' },
        health: { type: 'string' },
        smoke: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message.split('\n')[0]);
  }
  const { port, rtt, health = 'gateway', smoke } = values;
  if (health !== 'gateway' && health !== 'app')
    throw new UsageError(`--health must be gateway or app, not "${health}"`);
  const redisUrl = process.env['REDIS_URL'];
  return {
    smoke,
    options: {
      port: smoke ? 0 : number('--port', port, 4400, 1, 65_534, /^\d+$/),
      rttMs: number('--rtt', rtt, 0, 0, 2000, /^\d+(\.\d+)?$/),
      health,
      ...(redisUrl && { redisUrl }),
    },
  };
}

function number(
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
  const { options, smoke } = parse(process.argv.slice(2));
  const starting = startCluster(options);
  const cluster = await Promise.race([starting, interrupted]);
  if (!cluster) {
    await (await starting).stop();
    return 0;
  }
  try {
    if (smoke) return await runSmoke(cluster);
    const port = Number(new URL(cluster.url).port);
    console.log(`todo app      http://localhost:${port}/`);
    console.log(`control room  http://localhost:${port + 1}/`);
    console.log('Ctrl-C stops everything.');
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
    console.error(error.message);
    process.exitCode = 1;
  } else {
    console.error(error);
    process.exitCode = 1;
  }
}
