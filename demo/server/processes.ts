/** The parent's end of process control: builds the children's files once, starts children, calls them, ends them. */
import { fork, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Report } from './child.ts';

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

const entries = {
  node: 'demo/server/node.ts',
  store: 'demo/server/store.ts',
  gateway: 'demo/net/gateway.ts',
  balancer: 'demo/net/balancer.ts',
};
export type Program = keyof typeof entries;

let built: Promise<Record<Program, string>> | undefined;

/** Children run plain JavaScript: loading a TypeScript hook in each would more than double the time a node needs to restart. */
function programs(): Promise<Record<Program, string>> {
  return (built ??= bundle());
}

async function bundle(): Promise<Record<Program, string>> {
  const outdir = join(projectRoot, '.cache/demo');
  const { outputFiles } = await build({
    absWorkingDir: projectRoot,
    entryPoints: entries,
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
  });
  await mkdir(outdir, { recursive: true });
  const files = await Promise.all(
    outputFiles.map(async ({ path, contents }) => {
      // Named by content and renamed into place: several clusters may be starting at once.
      const name = basename(path, '.mjs');
      const file = join(
        outdir,
        `${name}-${createHash('sha1').update(contents).digest('hex').slice(0, 12)}.mjs`,
      );
      if (!(await exists(file))) {
        await writeFile(`${file}.${process.pid}`, contents);
        await rename(`${file}.${process.pid}`, file);
      }
      return [name, file] as const;
    }),
  );
  return Object.fromEntries(files) as Record<Program, string>;
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** An error a child answered with; `code` is the system's, such as `EADDRINUSE`. */
export class ChildError extends Error {
  override readonly name = 'ChildError';
  constructor(
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}

export interface ChildOptions {
  /** Swallow what the child prints. @default false: it goes to stderr, marked with the child's label. */
  quiet?: boolean;
  /** What to do with the events the child reports. */
  on?: Record<string, (data: never) => void>;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: ChildError): void;
}

/** One running child process. */
export class Child {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>;

  static async start(program: Program, label: string, options: ChildOptions = {}): Promise<Child> {
    return new Child((await programs())[program], label, options);
  }

  private constructor(file: string, label: string, { quiet = false, on = {} }: ChildOptions) {
    const { NODE_OPTIONS: _, ...env } = process.env;
    // `label` is only there to be read in a process list.
    const child = fork(file, [label], { execArgv: [], env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream)
        createInterface(stream).on('line', (line) => quiet || process.stderr.write(`[${label}] ${line}\n`));
    }
    child.on('message', (message) => {
      const report = message as Report;
      if ('event' in report) (on[report.event] as ((data: unknown) => void) | undefined)?.(report.data);
      else this.#settle(report);
    });
    // A failed spawn or a message to a process that has just ended: `exit` (or the pending call) tells the rest.
    child.on('error', () => {});
    this.exited = new Promise((resolve) => {
      const gone = (): void => {
        for (const { reject } of this.#pending.values()) reject(new ChildError(`${label} ended`));
        this.#pending.clear();
        resolve();
      };
      if (child.pid === undefined) gone();
      else child.on('exit', gone);
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get running(): boolean {
    return (
      this.#process.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
    );
  }

  /** Calls a method of the child. Rejects with a {@link ChildError} when it fails or the child ends first. */
  call<T = void>(method: string, arg: unknown = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!this.running || !this.#process.connected) return reject(new ChildError('the process has ended'));
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      this.#process.send({ id, method, arg });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Ends the process at once, stopped by SIGSTOP or not, and waits until it is gone. */
  async end(): Promise<void> {
    if (this.running) this.signal('SIGKILL');
    await this.exited;
  }

  #settle(report: Exclude<Report, { event: string }>): void {
    const pending = this.#pending.get(report.id);
    this.#pending.delete(report.id);
    if ('error' in report) pending?.reject(new ChildError(report.error, report.code));
    else pending?.resolve(report.result);
  }
}
