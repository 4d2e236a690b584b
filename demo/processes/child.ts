/** The parent's end of process control: starts child processes, calls their methods, ends them. */
import { fork, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { programFile, type Program } from './programs.ts';
import type { Report } from './serve-parent.ts';

/** The error a child answered with. `code` is the system's error code, such as `EADDRINUSE`. */
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
  /** Discards what the child prints. Otherwise it goes to stderr, each line marked with the child's label. @default false */
  quiet?: boolean;
  /** Called with the data of an event that the child reports, by event name. */
  on?: Record<string, (data: never) => void>;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: ChildError): void;
}

/** One child process. */
export class Child {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  /** Resolves when the process has ended. */
  readonly exited: Promise<void>;

  static async start(program: Program, label: string, options: ChildOptions = {}): Promise<Child> {
    return new Child(await programFile(program), label, options);
  }

  private constructor(file: string, label: string, { quiet = false, on = {} }: ChildOptions) {
    const { NODE_OPTIONS: _, ...env } = process.env;
    // The label is an argument only to show up in process lists.
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
    // A failed spawn, or a message to a process that has just ended. `exit` and the pending calls report both.
    child.on('error', () => {});
    this.exited = new Promise((resolve) => {
      const onExit = (): void => {
        for (const { reject } of this.#pending.values())
          reject(new ChildError(`The process "${label}" ended before it answered.`));
        this.#pending.clear();
        resolve();
      };
      if (child.pid === undefined) onExit();
      else child.on('exit', onExit);
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

  /**
   * Calls a method of the child.
   *
   * @throws ChildError when the method fails or the child ends first
   */
  call<T = void>(method: string, arg: unknown = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!this.running || !this.#process.connected)
        return reject(new ChildError('The process has ended and takes no calls.'));
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      this.#process.send({ id, method, arg });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Kills the process, even one stopped by SIGSTOP, and waits until it has ended. */
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
