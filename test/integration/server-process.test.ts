/** What a drain is to the process: signals and exit codes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Ear, until } from '../support/cluster-tools.ts';
import { connectRaw } from '../support/server-tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
let program: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  // Inside the project, so that `ws` is found.
  folder = await mkdtemp(join(root, 'node_modules/.server-test-'));
  program = join(folder, 'child.mjs');
  await build({
    entryPoints: [join(root, 'test/support/server-child.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'silent',
  });
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rm(folder, { recursive: true }));

interface Running {
  process: ChildProcess;
  port: number;
  /** Lines on stdout after the port. */
  said: () => string[];
  /** All of stderr. */
  complained: () => string;
  exit: Promise<{ code: number | null; signal: string | null }>;
}

async function node(options: object): Promise<Running> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { env });
  children.push(child);
  let out = '';
  let errors = '';
  child.stdout.on('data', (data) => (out += String(data)));
  child.stderr.on('data', (data) => (errors += String(data)));
  const exit = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal })),
  );
  const lines = (): string[] => out.split('\n').slice(0, -1);
  const port = Number(await until('it listens', () => lines()[0]));
  return { process: child, port, said: () => lines().slice(1), complained: () => errors, exit };
}

describe('a process that drains', () => {
  it('ends with 0 when its clients have gone, even with an idle connection; a second signal changes nothing', async () => {
    const { process: child, port, said, complained, exit } = await node({ afterMs: 600_000 });
    const ear = await new Ear(`http://127.0.0.1:${port}`).opened();
    expect(await ear.next()).toEqual({ msg: 'node', id: 'child', spreadMs: 0 });
    const idle = await connectRaw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(
      'the answer',
      () => idle.received.endsWith('serving\r\n0\r\n\r\n') || /serving$/.test(idle.received),
    );
    child.kill('SIGTERM');
    expect(await ear.next()).toEqual({ msg: 'drain', afterMs: 600_000, spreadMs: 0 });
    child.kill('SIGTERM');
    const health = await fetch(`http://127.0.0.1:${port}/up`);
    expect(await health.text()).toBe('draining');
    expect(child.exitCode).toBe(null);
    ear.socket.close();
    expect(await exit).toEqual({ code: 0, signal: null });
    expect(said()).toEqual(['drain', 'drained']);
    expect(complained()).toBe('');
    await until('the idle one ends', () => idle.closed);
  });

  it('closes clients that stay with 1012, then ends', async () => {
    const { process: child, port, exit } = await node({ afterMs: 200, signals: ['SIGUSR2'] });
    const ear = await new Ear(`http://127.0.0.1:${port}`).opened();
    child.kill('SIGUSR2');
    expect(await until('the close', () => ear.closed)).toEqual({ code: 1012, reason: 'service restart' });
    expect(await exit).toEqual({ code: 0, signal: null });
  });

  it('ends with 1 and the reason when onDrained fails', async () => {
    const { process: child, complained, exit } = await node({ failing: true });
    child.kill('SIGTERM');
    expect(await exit).toEqual({ code: 1, signal: null });
    expect(complained()).toContain('no database');
  });

  it('ends with 1 even if the app handles unhandled rejections', async () => {
    const { process: child, said, exit } = await node({ failing: true, handled: true });
    child.kill('SIGTERM');
    expect(await exit).toEqual({ code: 1, signal: null });
    expect(said()).toEqual(['drain', 'drained', 'reported: Error: no database']);
  });

  it('is not ended with exit: false', async () => {
    const { process: child, said, exit } = await node({ exit: false, graceMs: 0 });
    child.kill('SIGTERM');
    await until('it is drained', () => said().includes('drained'));
    // The process ends by itself: its server is closed, and the library keeps no timer or listener.
    expect(await exit).toEqual({ code: 0, signal: null });
  });
});
