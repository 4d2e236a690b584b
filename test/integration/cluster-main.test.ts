import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import type { ClusterState } from '../../demo/cluster.ts';
import { isPortTaken, listen } from '../../demo/net/ports.ts';
import { clusterProcesses, isGone, processInfo, until } from '../support/cluster-tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const started: ChildProcess[] = [];
const servers: Server[] = [];

afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

function demo(...args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'demo/main.ts', ...args], {
    cwd: root,
    stdio: 'pipe',
  });
  started.push(child);
  const run = { child, out: '', err: '', code: undefined as number | string | undefined };
  child.stdout.on('data', (chunk) => (run.out += chunk));
  child.stderr.on('data', (chunk) => (run.err += chunk));
  child.on('close', (code, signal) => (run.code = code ?? signal ?? 'none'));
  return run;
}

/** Ports that only this file hands out: clusters elsewhere pick theirs at random from 20 000 on. */
const handedOut = { first: 18_000, pairs: 1_000 };

/**
 * Two ports in a row that stay free for the demo. Their number is held on 127.0.0.2 until the test ends, so that no other run of
 * these tests is given it between the look and the demo's start.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = handedOut.first + 2 * Math.floor(Math.random() * handedOut.pairs);
    const guard = createServer();
    const [first, second] = [createServer(), createServer()];
    try {
      await once(guard.listen(port, '127.0.0.2'), 'listening').then(
        () => servers.push(guard),
        (error: unknown) => {
          // macOS has no 127.0.0.2: there the port is only known to be free now.
          if (isPortTaken(error)) throw error;
        },
      );
      await listen(first, port);
      await listen(second, port + 1);
      return port;
    } catch (error) {
      if (!isPortTaken(error)) throw error;
    } finally {
      await Promise.all([first, second].map((server) => new Promise((resolve) => server.close(resolve))));
    }
  }
}

async function running() {
  const port = await freePort();
  const run = demo('--port', String(port), '--rtt', '5', '--health', 'app');
  await until('the addresses', () => run.out.includes('Ctrl-C') || run.code !== undefined);
  return { run, port, children: clusterProcesses(run.child.pid as number) };
}

it.each(['SIGINT', 'SIGTERM'] as const)(
  'says where it is, and on %s ends with no process left',
  async (signal) => {
    const { run, port, children } = await running();
    expect(run.err).toBe('');
    expect(run.out).toContain(`http://localhost:${port}/`);
    expect(run.out).toContain(`http://localhost:${port + 1}/`);
    const state = (await (await fetch(`http://127.0.0.1:${port + 1}/api/state`)).json()) as ClusterState;
    expect(state).toMatchObject({ rttMs: 5, health: 'app' });
    expect(children).toHaveLength(6);
    run.child.kill(signal);
    await until('the end', () => run.code !== undefined);
    expect([run.code, run.err]).toEqual([0, '']);
    expect(children.filter((pid) => !isGone(pid))).toEqual([]);
  },
);

it('leaves no process behind when it is killed, not even a hung one', async () => {
  const { run, port, children } = await running();
  const hang = await fetch(`http://127.0.0.1:${port + 1}/api/nodes/b/hang`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
  });
  expect(hang.status).toBe(200);
  expect(children.map((pid) => processInfo(pid)?.state).filter((letter) => letter === 'T')).toEqual(['T']);
  run.child.kill('SIGKILL');
  await until('all children end', () => children.every(isGone));
  expect(children).toHaveLength(6);
});

it.each([
  [0, 'balancer'],
  [1, 'control room'],
])('says in one line that port +%i is in use', async (offset, owner) => {
  const port = await freePort();
  const server = createServer();
  servers.push(server);
  await listen(server, port + offset);
  const run = demo('--port', String(port));
  await until('the end', () => run.code !== undefined);
  expect([run.code, run.err, run.out]).toEqual([
    1,
    `Port ${port + offset} is in use, and the ${owner} needs it. ` +
      'The todo app needs one port and the control room the next. Choose another with --port N.\n',
    '',
  ]);
});

it.each([
  [['--port', '0'], '--port must be a number from 1 to 65534, not "0"'],
  [['--rtt=-3'], '--rtt must be a number from 0 to 2000, not "-3"'],
  [['--rtt', '-5'], '--rtt must be a number from 0 to 2000, not "-5"'],
  [['--health', 'both'], '--health must be gateway or app, not "both"'],
  [['--prot', '1'], "Unknown option '--prot'"],
])('refuses %j in one line', async (args, message) => {
  const run = demo(...args);
  await until('the end', () => run.code !== undefined);
  expect(run.err).toContain(message);
  expect(run.err.trimEnd().split('\n')).toHaveLength(1);
  expect([run.code, run.out]).toEqual([2, '']);
});

it.each(['--help', '-h'])('explains itself with %s', async (flag) => {
  const run = demo(flag);
  await until('the end', () => run.code !== undefined);
  expect([run.code, run.err]).toEqual([0, '']);
  for (const name of ['--port N', '--rtt MS', '--health gateway|app', '--smoke', 'REDIS_URL'])
    expect(run.out).toContain(name);
});
